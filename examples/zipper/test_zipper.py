import unittest

from zipper import zip_up


class ZipUpTest(unittest.TestCase):
    def test_equally_long(self):
        self.assertEqual(zip_up([1, 3], [2, 4]), [1, 2, 3, 4])

    def test_the_left_row_is_longer(self):
        self.assertEqual(zip_up([1, 3, 5, 7], [2]), [1, 2, 3, 5, 7])

    def test_the_right_row_is_longer(self):
        self.assertEqual(zip_up([1], [2, 4, 6]), [1, 2, 4, 6])

    def test_an_empty_row(self):
        self.assertEqual(zip_up([], [2, 4]), [2, 4])
        self.assertEqual(zip_up([1], []), [1])

    def test_no_teeth(self):
        self.assertEqual(zip_up([], []), [])


if __name__ == "__main__":
    unittest.main()
