"""What people can do before any billing: sign up, sign in, invite, accept, and keep their files."""
