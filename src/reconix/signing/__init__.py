"""Who signs: the keys of a project, its key sets, streams, the identities of devices."""
