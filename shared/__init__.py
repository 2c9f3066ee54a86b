"""What all services share: `schemas` (the contract between them) and `runtime` (plumbing)."""
