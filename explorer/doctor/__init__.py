"""What can be said of a lane's schedule before it runs: a room a subject, a function a finding."""
