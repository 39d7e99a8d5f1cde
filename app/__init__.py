"""ActiveLog: the background half of an activity tracker."""
