"""The leak scan: canaries through every flow and error of whole systems, and a search for them in every place."""
