#!/usr/bin/env python3
"""Writes tests/data/text_fixture*: a small UMT5 encoder and tokenizer, and what Hugging Face's
transformers and tokenizers, SentencePiece, ftfy and html make of a table of texts.

    text_fixture.safetensors         weights (names of the release), token ids, expected features
    text_fixture_spiece.model        SentencePiece model of some 600 pieces,
    trained on the lines below
    text_fixture_tokenizer.json      the same as transformers.T5TokenizerFast writes it
    text_fixture_cases.json          texts with their ids; tokenizers of other make; texts cleaned

The normalisation rules are a small part of nmt_nfkc: the whole would be 240 KB. Needs torch,
transformers, tokenizers, sentencepiece, ftfy and safetensors; runs in seconds.

    python3 scripts/make_text_fixture.py
"""

import contextlib
import html
import json
import pathlib
import re
import tempfile
import unicodedata

import ftfy
import safetensors.torch
import sentencepiece
import tokenizers
import torch
import transformers

SENTINELS = 20
CONFIG = dict(vocab_size=40, d_model=24, d_kv=6, d_ff=28, num_heads=3, num_layers=2,
              relative_attention_num_buckets=16, relative_attention_max_distance=20,
              layer_norm_epsilon=1e-6, feed_forward_proj="gated-gelu", tie_word_embeddings=False,
              dropout_rate=0.0, is_gated_act=True)

NEGATIVE = ("色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，"
            "JPEG压缩残留，丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，"
            "手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走")

CORPUS = """
pick up the red block and put it in the drawer
push the blue button, then close the top drawer slowly
slide the green cube to the target on the left
take the cup off the table and place it near the plate
the robot arm opens the jar and lifts the lid
turn the tap to the right; stack three blocks in a tower
a video of a robot gripper reaching for the small yellow ball
put the groceries into the cupboard and close the door
nimm den roten Würfel und lege ihn in die Schublade
drücke den blauen Knopf und schließe die obere Tür
schiebe den grünen Klotz langsam nach links über den Tisch
prends le cube rouge et pose-le près de l'assiette
ouvre le tiroir du haut, puis ferme la porte à gauche
coge el bloque rojo y ponlo en el cajón de la mesa
empuja el botón azul y después cierra el cajón
возьми красный кубик и положи его в ящик
нажми синюю кнопку и закрой дверь слева
拿起红色的方块，放进抽屉里，然后关上门
按下蓝色按钮，把杯子放在桌子上
机器人手臂慢慢地打开罐子的盖子
赤いブロックを拾って引き出しに入れてください
青いボタンを押してから、ドアを閉めます
빨간 블록을 집어서 서랍에 넣으세요
파란 버튼을 누르고 문을 닫으세요
ضع المكعب الأحمر في الدرج وأغلق الباب
लाल घन उठाओ और दराज में रखो
หยิบบล็อกสีแดงใส่ลิ้นชัก
0 1 2 3 4 5 6 7 8 9 10 25 100 (a) [b] {c} "d" 'e' f/g h-i j+k l=m n_o p*q r&s t@u v#w x%y z!
""".strip().split("\n")

TEXTS = [
    "", " ", "a", "pick up the red block", "  pick   up\tthe\nred  block  ",
    "Pick Up The RED Block.",
    "push_the_button", NEGATIVE, "ＡＢＣ１２３，。！？", "ﬁﬂ ﬀ ﬃ office", "① ½ ™ … ㎏",
    "caf\u00e9 cafe\u0301", "u\u0308ber \u00fcber", "Ａ\u0301 e\u0301\u0302", "ｶﾞｷﾞ ガギ ﾊﾟ",
    "\r\n", "a\r\nb\rc", "a\u00a0b\u3000c\u2003d", "a\u200bb\u200dc\ufeffd", "\x00\x01a\x1fb\x7f",
    "</s>", "a</s>b", "<pad>", "<extra_id_0>", "the <extra_id_0> block <extra_id_19>x",
    "<extra_id_20>", "<unk> a", "<s>", "< /s>", "＜/s＞", "▁", "▁▁a", "a▁b", " ▁ ",
    "漢字 囧囧囧", "🙂", "🙂🙂 a 🙃", "👨‍👩‍👧‍👦 family", "🇩🇪🇫🇷", "x\u0301\u0302\u0303\u0304y",
    "привет кубик", "ضع المكعب", "दराज में", "บล็อกสีแดง", "빨간 블록", "\u1108\u1161\u11af간",
    "\u0600\u0661", "zzzzqqqqxxxx", "1234567890", "a,b;c:d", "don't \"quote\" ‘curly’ “double”",
    "slide the cube" * 20, "word " * 40, "\U0010ffff", "e\u0301" * 5, "\u0903a\u0903",
    "#\ufe0f\u20e3",
    "©\u200d©", "a\u2028b\u2029c\x85d", "\u1680\u180ea", "<extra_id_1><extra_id_2>",
    "A\u030a Å \u212b",
]

DIRTY = [
    "", "   ", "plain text", NEGATIVE, "ＡＢＣ　ｄｅｆ！", "ｶﾞｷﾞ ﾊﾟ ﾡ ￥ ￣ ￠",
    "“curly” ‘single’ ʼn ‚low‛ „x‟",
    "ﬁne oﬃce Ĳssel ŉ Ǆ ǅ ǆ Ǉ ǌ Ǳ ﬅ ﬆ", "a\r\nb\rc\nd\u2028e\u2029f\x85g", "tab\there\x0bvt\x0cff",
    "\x00nul\x07bell\x1besc\x7fdel", "\x1b[31mred\x1b[0m \x1b[1;2Kx \x1b[", "\ufeffbom a\ufeffb",
    "\u206aa\u206fb\ufff9c\ufffcd", "cafe\u0301 A\u030a \u212b \uac00 \u1100\u1161\u11a8",
    "q\u0323\u0307 q\u0307\u0323", "\u0958 \u2adc \ufb1d \u0344 \uf900 \U0002f800",
    "&amp;", "&amp;amp;", "&amp;amp;amp;lt;", "a &lt;b&gt; c", "<b>&amp;amp;lt;</b>",
    "&lt no semicolon",
    "&notit; &notin; &not; &copy2024 &reg", "&#65;&#x42;&#X43; &#65 &#x;",
    "&#0; &#128; &#x9f; &#xD800; &#1114112;",
    "&#11; a &#xfdef; b", "&quot;q&quot; &apos;a&apos; &nbsp;x&nbsp;",
    "&eacute; &EACUTE; &NTILDE; &szlig; &SZLIG;",
    "&hellip;&mdash;&ldquo;hi&rdquo;", "&unknown; & &; &&amp;", "AT&T R&D this&that",
    "&ampamp; &Ampersand",
    "<p>&ldquo;kept curly&rdquo;</p>", "line &amp; one\n<i>two &amp; three\nfour &ldquo;x&rdquo;",
    "\x80 \x85 \x93quoted\x94 \x81", "\u200b\u200c zero width", "a \u3000 b\u00a0\u00a0c",
    "emoji 🙂 👨‍👩‍👧",
    "put_it_down. Now.", "x\u0300\u0345\u0301", "ᄒ\u1161\u11ab", "각\u11a8", "&#x1F642; &#55357;",
    "𝒜 ① ½ ™",
    "&lbrack;x&rsqb; &plus;&num;&percnt;", "&AMP &LT;x&GT", "e\u0301\u0301", "&#38;amp;",
    "&#x26;lt;", "&frac12&#59; &#59;",
]


def rules():
    """Rules of SentencePiece's normalisation, hexadecimal: what becomes what."""
    table = {chr(c): chr(c - 0xFEE0) for c in range(0xFF01, 0xFF5F)}
    spaces = "\t\n\r\x85\u00a0\u1680\u2003\u2028\u2029\u3000\u200b\ufeff\u200d"
    table.update({c: " " for c in spaces})
    table.update({chr(c): "" for c in [*range(1, 9), 0x0B, *range(0x0E, 0x20), 0x7F]})
    table.update({c: unicodedata.normalize("NFKC", c) for c in "ﬀﬁﬂﬃ①½™…㎏Å"})
    for mark in "\u0300\u0301\u0302\u0303\u0308\u030a":
        for letter in "aeiouynAEIOUYN" + "Ａａ":
            whole = unicodedata.normalize("NFKC", letter + mark)
            if len(whole) == 1:
                table[letter + mark] = whole
    for code in range(0xFF61, 0xFFA0):
        for text in (chr(code), chr(code) + "ﾞ", chr(code) + "ﾟ"):
            whole = unicodedata.normalize("NFKC", text)
            if len(whole) == 1:
                table[text] = whole
    return "".join("%s\t%s\n" % (" ".join("%X" % ord(c) for c in old),
                                 " ".join("%X" % ord(c) for c in new))
                   for old, new in sorted(table.items()))


def compact(value):
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def make_tokenizer(folder, stem):
    """Trains, converts, and returns both tokenizers."""
    (folder / "rules.tsv").write_text(rules())
    lines = [line + " " + CORPUS[(7 * i + step) % len(CORPUS)]
             for step in range(1, 20) for i, line in enumerate(CORPUS)]
    (folder / "corpus.txt").write_text("\n".join(lines))
    # Relative names: the model keeps them.
    with contextlib.chdir(folder):
        sentencepiece.SentencePieceTrainer.train(
            input="corpus.txt", model_prefix="spiece", vocab_size=600, model_type="unigram",
            normalization_rule_tsv="rules.tsv", pad_id=0, eos_id=1, bos_id=2, unk_id=3,
            minloglevel=2, character_coverage=1.0, num_threads=1, hard_vocab_limit=False)
    for name in ("corpus.txt", "rules.tsv", "spiece.vocab"):
        (folder / name).unlink()
    model = folder / "spiece.model"
    transformers.T5TokenizerFast.from_pretrained(folder, extra_ids=SENTINELS).save_pretrained(
        folder / "fast")
    parts = json.loads((folder / "fast/tokenizer.json").read_text())
    # transformers 5 writes 2 for every model, as in T5; UMT5 has <s> there and <unk> at 3.
    assert parts["model"]["vocab"][3][0] == "<unk>"
    parts["model"]["unk_id"] = 3
    pathlib.Path(str(stem) + "_tokenizer.json").write_text(compact(parts))
    pathlib.Path(str(stem) + "_spiece.model").write_bytes(model.read_bytes())
    return (tokenizers.Tokenizer.from_str(compact(parts)),
            sentencepiece.SentencePieceProcessor(model_file=str(model)))


def token_cases(fast, pieces):
    """Ids are those of Hugging Face; where SentencePiece's own differ, they are listed beside."""
    cases = []
    for text in TEXTS:
        case = {"text": text, "ids": fast.encode(text).ids}
        other = pieces.encode(text) + [1]
        if other != case["ids"]:
            case["sentencepiece"] = other
        cases.append(case)
    return cases


def variants():
    """Tokenizers as other tools and older versions write them."""
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁a", -3.0), ("a", -3.5),
             ("b", -3.5), ("ab", -4.0), ("▁ab", -4.5), ("▁▁", -3.2), ("c", -5.0), ("\t", -6.0),
             ("é", -5.5)]
    byte_vocab = vocab + [("<0x%02X>" % i, -9.0) for i in range(256)]
    pre, norm, Regex = tokenizers.pre_tokenizers, tokenizers.normalizers, tokenizers.Regex
    template = tokenizers.processors.TemplateProcessing(single="$A </s>",
                                                        special_tokens=[("</s>", 1)])
    added = tokenizers.AddedToken
    table = [
        ("metaspace", vocab, False, None, pre.Metaspace(), template, []),
        ("metaspace_first", vocab, False, None, pre.Metaspace(prepend_scheme="first"), template,
         [added("<x>", normalized=False)]),
        ("metaspace_never", vocab, False, None, pre.Metaspace(prepend_scheme="never"), None, []),
        ("metaspace_whole", vocab, False, None, pre.Metaspace(split=False), template, []),
        ("squeeze", vocab, False, norm.Sequence([norm.NFC(), norm.Strip(left=False, right=True),
                                                 norm.Replace(Regex(" {2,}"), "▁")]),
         pre.Metaspace(), template, [added("<x>", lstrip=True, rstrip=True, normalized=False)]),
        ("replace", vocab, False, norm.Sequence([norm.Replace("é", "ab"), norm.Prepend("a")]),
         pre.Sequence([pre.WhitespaceSplit(), pre.Metaspace()]), template,
         [added("ab", normalized=True)]),
        ("bytes", byte_vocab, True, None, pre.Metaspace(), template, []),
        ("no_words", vocab, False, norm.Replace(" ", "▁"), None, template, []),
    ]
    texts = ["", "a", "ab ab", " a  b ", "a b   c", "<x>", "a <x> b<x>c", "x<x>", "\ta\tb",
    "é e\u0301",
             "abc é", "</s> a", "xyz 漢", "a\u00a0b", "aab   abab", " ", "é"]
    made = []
    for name, pieces, fallback, normalizer, splitter, processor, tokens in table:
        fast = tokenizers.Tokenizer(tokenizers.models.Unigram(pieces, unk_id=2,
                                                              byte_fallback=fallback))
        if normalizer is not None:
            fast.normalizer = normalizer
        if splitter is not None:
            fast.pre_tokenizer = splitter
        if processor is not None:
            fast.post_processor = processor
        fast.add_tokens(tokens)
        made.append({"name": name, "tokenizer": fast.to_str(),
                     "cases": [{"text": text, "ids": fast.encode(text).ids} for text in texts]})
    # Before 2024 Metaspace had another field.
    old = json.loads(made[0]["tokenizer"])
    old["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}
    made.append({"name": "metaspace_old", "tokenizer": compact(old), "cases": made[0]["cases"]})
    return made


def clean(text):
    text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    return re.sub(r"\s+", " ", text).strip()


def original_name(name):
    """The release's name of a weight of transformers' UMT5."""
    if name in ("shared.weight", "encoder.embed_tokens.weight"):
        return "token_embedding.weight"
    if name == "encoder.final_layer_norm.weight":
        return "norm.weight"
    for old, new in [("encoder.block.", "blocks."), ("layer.0.layer_norm", "norm1"),
                     ("layer.1.layer_norm", "norm2"),
                     ("layer.0.SelfAttention.relative_attention_bias", "pos_embedding.embedding"),
                     ("layer.0.SelfAttention", "attn"), ("layer.1.DenseReluDense.wi_0",
                     "ffn.gate.0"),
                     ("layer.1.DenseReluDense.wi_1", "ffn.fc1"),
                     ("layer.1.DenseReluDense.wo", "ffn.fc2")]:
        name = name.replace(old, new)
    return name


def encoder_fixture():
    generator = torch.Generator().manual_seed(4)
    model = transformers.UMT5EncoderModel(transformers.UMT5Config(**CONFIG)).eval()
    tensors = {}
    for name, weight in sorted(model.state_dict().items()):
        values = torch.randn(weight.shape, generator=generator)
        if "norm" in name:
            values = 1 + 0.2 * values
        elif "shared" not in name and "embed_tokens" not in name and "bias" not in name:
            values = values / weight.shape[1]**0.5
        weight.copy_(values)
        tensors["weights/" + original_name(name)] = values
    model.tie_weights()
    tensors["weights/token_embedding.weight"] = model.shared.weight.detach().clone()
    # Longer than the largest distance, so that every bucket is used; one row has padding.
    ids = torch.randint(2, CONFIG["vocab_size"], (2, 40), generator=generator)
    ids[:, -1] = 1
    ids[1, 12:] = 0
    ids[1, 11] = 1
    mask = (ids != 0).long()
    with torch.no_grad():
        features = model(input_ids=ids, attention_mask=mask).last_hidden_state
        half = model.to(torch.bfloat16)(input_ids=ids, attention_mask=mask).last_hidden_state
    tensors.update({"token_ids": ids, "features": features * mask[..., None],
                    "features_bf16": half * mask[..., None]})
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def main():
    stem = pathlib.Path(__file__).resolve().parent.parent / "tests/data/text_fixture"
    with tempfile.TemporaryDirectory() as folder:
        fast, pieces = make_tokenizer(pathlib.Path(folder), stem)
    cases = {"versions": {module.__name__: module.__version__ for module in
                          (transformers, tokenizers, sentencepiece, ftfy)},
             "sentinels": SENTINELS, "tokens": token_cases(fast, pieces), "variants": variants(),
             "cleaning": [{"text": text, "clean": clean(text)} for text in DIRTY]}
    pathlib.Path(str(stem) + "_cases.json").write_text(compact(cases) + "\n")
    safetensors.torch.save_file(encoder_fixture(), str(stem) + ".safetensors",
                                metadata={"config": json.dumps(CONFIG)})


if __name__ == "__main__":
    main()
