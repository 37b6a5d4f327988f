"""The form for legal process: an officer or an agency's lawyer sends an instrument to the county's
case desk."""
