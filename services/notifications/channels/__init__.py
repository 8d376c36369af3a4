"""The ways an alert reaches a person: inside the app always, by email when wanted. SMS comes as one more file here."""
