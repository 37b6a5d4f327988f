"""The request types, their words in three languages, the policies, and the words of danger."""
