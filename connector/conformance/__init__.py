"""The connector under a stranger's test kit: a profile that plays the people of both sides by a script. Never in
production: no setting names it, and it is built for addresses of this machine alone."""
