"""Standard studies: their list, and the evaluation of a study's claim."""
