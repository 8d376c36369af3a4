"""What each route does, once, for the JSON API and for the pages: a subject asks the services and knows no HTTP."""
