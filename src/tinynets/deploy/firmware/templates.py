"""Templates of the files around generated C."""

import json

from .net import Net


def header(net: Net) -> str:
    upper = net.name.upper()
    channels, height, width = net.size
    meaning = (
        f"An int8 score s stands for {upper}_SCALE * (s - {upper}_ZERO_POINT)." if net.integer else "Scores are logits."
    )
    scales = (
        f"#define {upper}_SCALE {net.scale!r}f\n#define {upper}_ZERO_POINT ({net.zero_point})\n" if net.integer else ""
    )
    return f"""\
/* {net.name}: pixels in, class scores out. {meaning} */
#ifndef {upper}_H
#define {upper}_H

#include <stdint.h>

#define {upper}_HEIGHT {height}
#define {upper}_WIDTH {width}
#define {upper}_CHANNELS {channels}
#define {upper}_PIXELS ({upper}_HEIGHT * {upper}_WIDTH * {upper}_CHANNELS)
#define {upper}_CLASSES {len(net.classes)}
{scales}
#ifdef __cplusplus
extern "C" {{
#endif

typedef {"int8_t" if net.integer else "float"} {net.name}_score;

/* Names of the classes, UTF-8. */
extern const char *const {net.name}_class_names[{upper}_CLASSES];

/* Classify an image: height x width x channels, 0..255. Fills in the scores and returns the class of the highest.
 * Its memory is static: one call at a time. */
int {net.name}_classify(const uint8_t pixels[{upper}_PIXELS], {net.name}_score scores[{upper}_CLASSES]);

#ifdef __cplusplus
}}
#endif

#endif
"""


def glue(net: Net, include: str, memory: str, call: str) -> str:
    """Render NAME.c: class names and `NAME_classify`.

    Args:
        net: metadata of the model.
        include: the generated header.
        memory: declarations of static memory.
        call: statements that fill in `scores` from `pixels`.
    """
    upper = net.name.upper()
    names = "".join(f"    {_quoted(name)},\n" for name in net.classes)
    return f"""\
#include "{net.name}.h"

#include "{include}"

const char *const {net.name}_class_names[{upper}_CLASSES] = {{
{names}}};

{memory}
int {net.name}_classify(const uint8_t pixels[{upper}_PIXELS], {net.name}_score scores[{upper}_CLASSES]) {{
    int best = 0;
{call}
    for (int i = 1; i < {upper}_CLASSES; ++i) {{
        if (scores[i] > scores[best]) {{
            best = i;
        }}
    }}
    return best;
}}
"""


def glue_int8(net: Net, symbol: str) -> str:
    upper = net.name.upper()
    memory = f"""\
#ifdef __cplusplus
#define {upper}_ALIGNED(bytes) alignas(bytes)
#else
#define {upper}_ALIGNED(bytes) _Alignas(bytes)
#endif

{upper}_ALIGNED({symbol.upper()}_ARENA_ALIGNMENT) static uint8_t
    arena[{symbol.upper()}_ARENA_SIZE > 0 ? {symbol.upper()}_ARENA_SIZE : 1];
static int8_t input[{upper}_PIXELS];
"""
    call = f"""\
    for (int i = 0; i < {upper}_PIXELS; ++i) {{
        input[i] = (int8_t)(pixels[i] - 128);
    }}
    {symbol}_infer({symbol.upper()}_ARENA_SIZE > 0 ? arena : 0, input, scores);"""
    return glue(net, f"{symbol}.h", memory, call)


def main(net: Net) -> str:
    upper = net.name.upper()
    return f"""\
/* Reads images of {upper}_PIXELS bytes, one after the other, from a file or standard input.
 * Prints the name of each one's class. */
#include <stdio.h>

#include "{net.name}.h"

int main(int argc, char **argv) {{
    static uint8_t pixels[{upper}_PIXELS];
    static {net.name}_score scores[{upper}_CLASSES];
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : stdin;
    size_t count;

    if (file == NULL) {{
        fprintf(stderr, "%s: cannot open %s\\n", argv[0], argv[1]);
        return 1;
    }}
    while ((count = fread(pixels, 1, sizeof pixels, file)) == sizeof pixels) {{
        printf("%s\\n", {net.name}_class_names[{net.name}_classify(pixels, scores)]);
    }}
    if (count > 0) {{
        fprintf(stderr, "%s: the last image has %u bytes, expected %dx%dx%d = %u: height x width x channels, 0..255\\n",
                argv[0], (unsigned)count, {upper}_HEIGHT, {upper}_WIDTH, {upper}_CHANNELS, (unsigned)sizeof pixels);
        return 1;
    }}
    return 0;
}}
"""


def makefile(net: Net) -> str:
    sources = " ".join(["main.c", *net.sources])
    return f"""\
CFLAGS ?= -O3
SOURCES = {sources}

classify: $(SOURCES) $(wildcard *.h)
	$(CC) -std=c11 $(CFLAGS) -o $@ $(SOURCES) -lm

clean:
	rm -f classify

.PHONY: clean
"""


def readme(net: Net) -> str:
    channels, height, width = net.size
    order = "red, green, blue" if channels == 3 else f"{channels} per pixel"
    return f"""\
# {net.name} as C

Code for images of {height} x {width} pixels and {len(net.classes)} classes, in {"int8" if net.integer else "fp32"}.
No interpreter, no heap, no dependencies. An image is
{height * width * channels:,} bytes, row by row, {order}, each 0..255.

    make
    ./classify image.rgb    # or images on standard input; prints one class name a line

A firmware needs `main.c` and the Makefile no longer. It compiles the other .c files and calls

    int best = {net.name}_classify(pixels, scores);

with the types and names in `{net.name}.h`. `net.json` has the metadata in JSON.

- Flash: about {net.flash / 1000:,.1f} kB on a Cortex-M4, code and constants.
- RAM: {net.ram / 1000:,.1f} kB, static; one call at a time.
- Licence: generated by {net.generator}.
  The other files are by tinynets (MIT) and need no notice. The weights are those of the model.
"""


def without_make(text: str) -> str:
    """Return the README of a project, without the instructions for `make`."""
    start, end = text.index("    make\n"), text.index("A firmware needs")
    return text[:start] + text[end:].replace(
        "A firmware needs `main.c` and the Makefile no longer. It compiles the other .c files and calls",
        "The project compiles these sources. A firmware calls",
    )


def arduino_properties(net: Net) -> str:
    return f"""\
name={net.name}
version=1.0.0
author=tinynets
maintainer=tinynets
sentence=An image classifier with {len(net.classes)} classes.
paragraph=Pixels in, class scores out.
category=Data Processing
architectures=*
includes={net.name}.h
"""


def arduino_sketch(net: Net) -> str:
    upper = net.name.upper()
    return f"""\
// Classifies an image of {upper}_PIXELS bytes that comes over the serial port, and answers with the name of its class.
#include <{net.name}.h>

static uint8_t pixels[{upper}_PIXELS];
static {net.name}_score scores[{upper}_CLASSES];

void setup() {{
  Serial.begin(115200);
}}

void loop() {{
  if (Serial.readBytes((char *)pixels, sizeof pixels) == sizeof pixels) {{
    Serial.println({net.name}_class_names[{net.name}_classify(pixels, scores)]);
  }}
}}
"""


def _quoted(text: str) -> str:
    """Return a C string literal without trigraphs."""
    return json.dumps(text, ensure_ascii=False).replace("?", "\\?")
