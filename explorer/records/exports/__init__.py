"""What a run becomes when somebody takes it away: files, texts, animations, a page of its own."""
