"""Whether the hot path has become dearer: instructions of fixed work, against bounds that are stored."""
