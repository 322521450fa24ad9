"""asyncio_client.py URL IN_FLIGHT: what a careful user writes instead of llava_zh.

aiohttp and asyncpg: rows are claimed with SKIP LOCKED, 64 at a time and ahead of
need; a slot is refilled as soon as it frees; replies are written in batches, the
same reply and sample rows as llava_zh's, in the schema client.  Ends when the
queue is empty.
"""
import asyncio
import base64
import json
import sys
import time

import aiohttp
import asyncpg

BATCH = 64

CLAIM = """
WITH c AS MATERIALIZED (
    SELECT image, task FROM client.pending WHERE failure IS NULL AND visible_at <= now()
    ORDER BY visible_at, image, task LIMIT $1 FOR UPDATE SKIP LOCKED
), u AS (
    UPDATE client.pending p SET visible_at = now() + interval '5 minutes', attempts = attempts + 1,
        call = nextval('client.call_seq')
    FROM c WHERE p.image = c.image AND p.task = c.task
    RETURNING p.image, p.task, p.call
)
SELECT u.image, u.task, u.call, i.image AS bytes FROM u JOIN llava_image i ON i.id = u.image
"""

REPLY = """
INSERT INTO client.reply (image, id, task, task_version, server, model, model_reported, parameters, variation, seed,
    body, finish_reason, prompt_tokens, completion_tokens, latency_ms)
SELECT image, id, task, 1, 'endpoint', 'm', model, $10::jsonb, 0, id, body, finish, prompt, completion, latency
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::bigint[], $8::bigint[],
    $9::bigint[]) AS r (image, id, task, model, body, finish, prompt, completion, latency)
"""
SAMPLE = """
INSERT INTO client.conversation (image, task, conversation, rounds, reply, task_version)
SELECT image, task, conversation::jsonb, rounds, id, 1
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::int[], $5::bigint[]) AS r (image, task, conversation, rounds, id)
"""
DONE = """
DELETE FROM client.pending p USING unnest($1::bigint[], $2::text[], $3::bigint[]) AS r (image, task, id)
WHERE p.image = r.image AND p.task = r.task AND p.call = r.id
"""

PARAMETERS = {"max_tokens": 2048, "temperature": 0.7, "top_p": 0.8, "repetition_penalty": 1.05}


class Client:
    def __init__(self, url, in_flight, pool, session, prompts):
        self.url = url + "/chat/completions"
        self.in_flight = in_flight
        self.pool = pool
        self.session = session
        self.bodies = {task: self.halves(prompt) for task, prompt in prompts.items()}
        self.claimed = asyncio.Queue(BATCH)
        self.ended = asyncio.Queue(4 * BATCH)

    @staticmethod
    def halves(prompt):
        """The body's bytes before and behind the image's base64."""
        body = {"model": "m", "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,@"}},
            {"type": "text", "text": prompt}]}], **PARAMETERS, "stream": False}
        return json.dumps(body, ensure_ascii=False).encode().split(b"@", 1)

    async def claim(self):
        while True:
            async with self.pool.acquire() as db:
                rows = await db.fetch(CLAIM, BATCH)
            for row in rows:
                await self.claimed.put(row)
            if not rows:
                for _ in range(self.in_flight):
                    await self.claimed.put(None)
                return

    async def ask(self):
        while (row := await self.claimed.get()) is not None:
            head, tail = self.bodies[row["task"]]
            body = b"".join((head, base64.b64encode(row["bytes"]), tail))
            headers = {"Content-Type": "application/json", "X-Request-Id": str(row["call"])}
            begun = time.monotonic()
            try:
                async with self.session.post(self.url, data=body, headers=headers) as response:
                    reply = await response.read()
                    status = response.status
            except aiohttp.ClientError as error:
                print("failed:", error, file=sys.stderr)
                continue
            if status == 200:
                await self.ended.put((row["image"], row["task"], row["call"], reply,
                                      int((time.monotonic() - begun) * 1000)))

    @staticmethod
    def turns(text):
        """[[question, answer], ...] of 用户:…助手:…"""
        rounds = []
        for part in text.split("用户:")[1:]:
            question, found, answer = part.partition("助手:")
            if found:
                rounds.append([question.strip(), answer.strip()])
        return rounds

    def rows_of(self, ended):
        image, task, call, body, latency = ended
        envelope = json.loads(body)
        choice = envelope["choices"][0]
        usage = envelope.get("usage") or {}
        rounds = self.turns(choice["message"]["content"])
        conversation = [{"from": who, "value": text} for pair in rounds for who, text in zip(("human", "gpt"), pair)]
        return ((image, call, task, envelope["model"], body, choice["finish_reason"],
                 usage.get("prompt_tokens"), usage.get("completion_tokens"), latency),
                (image, task, json.dumps(conversation, ensure_ascii=False), len(rounds), call),
                (image, task, call))

    async def settle(self):
        while True:
            batch = [await self.ended.get()]
            if self.ended.qsize() < BATCH:
                await asyncio.sleep(0.01)
            while len(batch) < 4 * BATCH and not self.ended.empty():
                batch.append(self.ended.get_nowait())
            over = None in batch
            rows = [self.rows_of(ended) for ended in batch if ended is not None]
            if rows:
                replies, samples, done = (list(zip(*part)) for part in zip(*rows))
                async with self.pool.acquire() as db, db.transaction():
                    await db.execute(REPLY, *replies, json.dumps(PARAMETERS))
                    await db.execute(SAMPLE, *samples)
                    await db.execute(DONE, *done)
            if over:
                return

    async def run(self):
        settler = asyncio.create_task(self.settle())
        await asyncio.gather(self.claim(), *(self.ask() for _ in range(self.in_flight)))
        await self.ended.put(None)
        await settler


async def main():
    url, in_flight = sys.argv[1], int(sys.argv[2])
    async with asyncpg.create_pool(min_size=2, max_size=2) as pool:
        prompts = dict(await pool.fetch("SELECT DISTINCT ON (name) name, prompt FROM llava_task ORDER BY name, version DESC"))
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=300)) as session:
            await Client(url, in_flight, pool, session, prompts).run()


asyncio.run(main())
