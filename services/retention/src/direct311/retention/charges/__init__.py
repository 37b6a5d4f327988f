"""Charges: what a case costs, from the estimate to the cashier's receipt."""
