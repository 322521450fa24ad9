-- :n pictures of :bytes bytes each, no two the same: one noisy JPEG, :file, with a
-- comment of its own in each.
TRUNCATE llava_image, llava_hash, llava_seen, llava_pending, llava_reply, llava_conversation;
INSERT INTO llava_image (path, image, task)
SELECT g || '.jpg',
    substr(b, 1, 2) || '\xfffe0012'::bytea || convert_to(lpad(g::text, 16, '0'), 'UTF8') || substr(b, 3),
    '描述图片'
FROM pg_read_binary_file(:'file') b, generate_series(1, :n) g;
CHECKPOINT;
