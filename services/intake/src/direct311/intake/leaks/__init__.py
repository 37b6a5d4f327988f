"""What of a record's withheld texts a finished package is searched for, without the texts."""
