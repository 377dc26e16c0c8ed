"""What everything else stands on: settings that check themselves, random streams, safe files."""
