"""The use cases: make records eligible, propose, approve, reject."""
