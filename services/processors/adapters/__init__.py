"""One stateless file per processor; `register.py` names those that work today."""
