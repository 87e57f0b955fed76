import pytest

from reasoner.dialect.chat import chat, markup
from reasoner.dialect.tokenizer import ByteTokenizer
from reasoner.errors import ModelError


class Templated(ByteTokenizer):
    def __init__(self, template: str, **controls: int) -> None:
        self.template = template
        self.controls = {f"<|{name}|>": i for name, i in controls.items()}


def text(tokenizer: ByteTokenizer, ids: tuple[int, ...]) -> str:
    names = {i: name for name, i in tokenizer.controls.items()}
    return "".join(names.get(i) or chr(i) for i in ids)


CHATML = (
    "{% for m in messages %}{% if loop.first and m.role != 'system' %}"
    "<|im_start|>system\nbe good<|im_end|>\n{% endif %}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def test_a_template_is_four_strings_between_messages() -> None:
    tokenizer = Templated(CHATML, im_start=300, im_end=301)
    found = chat(tokenizer)
    assert found.has_system
    assert text(tokenizer, found.start) == "<|im_start|>system\n"
    assert text(tokenizer, found.user) == "<|im_end|>\n<|im_start|>user\n"
    assert text(tokenizer, found.assistant) == "<|im_end|>\n<|im_start|>assistant\n"
    assert text(tokenizer, found.again) == "<|im_end|>\n<|im_start|>user\n"


def test_a_template_without_a_system_role_puts_it_before_the_user() -> None:
    tokenizer = Templated(
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% for m in messages %}<|turn|>{{ m.role }}\n{{ m.content | trim }}<|eot|>{% endfor %}<|turn|>{{ 'model\n' }}",
        turn=300,
        eot=301,
    )
    found = chat(tokenizer)
    assert not found.has_system and found.start == ()
    assert text(tokenizer, found.user) == "<|turn|>user\n"
    assert text(tokenizer, found.assistant) == "<|eot|><|turn|>model\n"


def test_a_template_that_drops_messages_is_refused() -> None:
    with pytest.raises(ModelError, match="drops or reorders"):
        chat(Templated("{{ messages[-1].content }}"))


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{% for",
        "{{ messages[9].content }}",
        "{{ lipsum.__globals__['os'].system('true') }}",
    ],
)
def test_a_hostile_or_broken_template_is_refused(template: str) -> None:
    with pytest.raises(ModelError):
        chat(Templated(template))


def test_a_model_without_a_template_gets_the_one_of_its_family() -> None:
    tokenizer = Templated("", im_start=300, im_end=301)
    found = chat(tokenizer)
    assert text(tokenizer, found.assistant) == "<|im_end|>\n<|im_start|>assistant\n"
    with pytest.raises(ModelError, match=r"chat_template\.jinja"):
        chat(Templated("", strange=300))


def test_the_template_of_llama_3_is_the_one_that_its_makers_publish() -> None:
    tokenizer = Templated("", begin_of_text=300, start_header_id=301, end_header_id=302, eot_id=303)
    tokenizer.bos = "<|begin_of_text|>"
    found = chat(tokenizer)
    user, assistant = (f"<|start_header_id|>{role}<|end_header_id|>\n\n" for role in ("user", "assistant"))
    assert found.has_system
    assert text(tokenizer, found.start) == "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
    assert text(tokenizer, found.user) == "<|eot_id|>" + user
    assert text(tokenizer, found.assistant) == "<|eot_id|>" + assistant
    assert text(tokenizer, found.again) == "<|eot_id|>" + user


def test_the_template_of_gemma_has_no_place_for_a_system_text() -> None:
    tokenizer = Templated("")
    tokenizer.controls = {"<bos>": 300, "<start_of_turn>": 301, "<end_of_turn>": 302}
    tokenizer.bos = "<bos>"
    found = chat(tokenizer)
    assert not found.has_system
    assert text(tokenizer, found.user) == "<bos><start_of_turn>user\n"
    assert text(tokenizer, found.assistant) == "<end_of_turn>\n<start_of_turn>model\n"
    assert text(tokenizer, found.again) == "<end_of_turn>\n<start_of_turn>user\n"


def test_control_tokens_mean_what_they_say_only_in_markup() -> None:
    tokenizer = ByteTokenizer()
    assert markup(tokenizer, "a<|end|>b") == [97, 259, 98]
    assert 259 not in tokenizer.encode("a<|end|>b")
