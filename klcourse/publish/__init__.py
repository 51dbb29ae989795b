"""What makes the course out of its notebooks: run and normalise them, check their rules, build slide decks."""
