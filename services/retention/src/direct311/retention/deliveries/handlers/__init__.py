"""The use cases of a delivery: encrypt, tell a code, download, receive."""
