"""The operator's log: receipts in one append-only tree that witnesses of both camps cosign (C2SP tlog-tiles)."""
