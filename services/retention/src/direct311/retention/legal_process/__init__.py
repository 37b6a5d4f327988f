"""Law enforcement asks: instruments, call-backs, scopes, secrecy, custody, referrals."""
