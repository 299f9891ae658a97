"""How often a session was woken, by what the model was asked, for `scripts/test-agents`.

woken.py ASKED BOT [WORD]: each turn that guardian's facts of BOT began must hold all of them and nothing that the bot wrote (WORD); prints how
many such turns there were, and exits with 1 where one is not as it should be.
"""

import json
import sys

ASKED, BOT, *WORD = sys.argv[1:]
FACTS = f"guardian: process {BOT} run 1: "
turns = set()
with open(ASKED) as asked:
    for line in asked:
        messages = json.loads(line)
        # Later requests of a session hold all that was said before: each turn is known by where it stands.
        for place, message in enumerate(messages):
            text = json.dumps(message)
            if FACTS not in text or message.get("role") not in ("user", "system"):
                continue
            turns.add((place, text.count(FACTS)))
            for fact in ("verdict failed", "cause: exit 3", f"guardian why {BOT}", f"id {BOT}."):
                if fact not in text:
                    sys.exit(f"no {fact!r} in {text}")
        if any(word in line for word in WORD):
            sys.exit(f"what the bot wrote reached the model: {line[-2000:]}")
print(sum(count for _, count in turns))
