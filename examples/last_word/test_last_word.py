import unittest

from last_word import last_word


class LastWordTest(unittest.TestCase):
    def test_spaces_at_the_end(self):
        self.assertEqual(last_word("good night "), "night")

    def test_a_single_word(self):
        self.assertEqual(last_word("one"), "one")

    def test_an_empty_text(self):
        self.assertEqual(last_word(""), "")

    def test_nothing_but_spaces(self):
        self.assertEqual(last_word("   "), "")

    def test_words_on_several_lines(self):
        self.assertEqual(last_word("the\nquick fox"), "fox")


if __name__ == "__main__":
    unittest.main()
