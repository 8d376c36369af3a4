"""The gateway's own people: practices, persons, their roles, sessions and invitations. No billing is known here."""
