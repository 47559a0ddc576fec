"""What a ledger tells: the questions (:mod:`.reader`), the answers (:mod:`.answers`), a file's."""
