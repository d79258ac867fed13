"""What tests of several rooms share."""

import pytest

pytest.register_assert_rewrite("tests.support.order", "tests.support.sameness", "tests.support.values")
