-- The codec alone: what headers say, what would be sent.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS llava_zh CASCADE;
CREATE EXTENSION llava_zh;
RESET client_min_messages;
\set VERBOSITY default
\set SHOW_CONTEXT never

CREATE TEMP TABLE picture (id serial, name text, bytes bytea);
INSERT INTO picture (name, bytes) VALUES
	('jpeg', decode('
		/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQ
		c1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSk
		pKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAARCABUAHADASIAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAA
		AAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAk
		M2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKT
		lJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/8QA
		HwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAECAxEEBSExBhJBUQdh
		cRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hp
		anN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk
		5ebn6Onq8vP09fb3+Pn6/9oADAMBAAIRAxEAPwCjRRRXOewFFFFABRRRQAUUUUAFFFFABRRRQAUUUUAFFFFAEkUf
		mZ5xj2p/2b/b/Si2/i/Cp6zbdzxcViq1Os4xeny7EH2b/b/Sj7N/t/pU9FLmZz/Xq/8AN+C/yIPs3+3+lMki8tc7
		s8+lWqiuf9WPrTTdzbD4utOrGMpafIrUUUVoe4FFFFABRRRQAUUUUAT238X4VPUFt/F+FT1lLc+dx38eXy/JBRRR
		SOMKiuf9WPrUtRXP+rH1prc6cJ/GiVqKKK1PpQooooAKKKKACiiigCe2/i/Cp6qwyCPOQefSpftCejVm07nh4vD1
		Z1pSjHT/AIBLRUX2hPRqPtCejUrM5vqlb+UlqK5/1Y+tH2hPRqZLKrqAAevemk7m+Gw1WNWLcdCGiiitD3gooooA
		KKKKACiiigAooooAKKKKACiiigAooooAKKKKACiiigAooooAKKKKACiiigAooooAKKKKACiiigAooooA/9k=', 'base64')),
	('progressive', decode('
		/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDACgcHiMeGSgjISMtKygwPGRBPDc3PHtYXUlkkYCZlo+AjIqgtObDoKra
		rYqMyP/L2u71////m8H////6/+b9//j/2wBDASstLTw1PHZBQXb4pYyl+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4
		+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj/wgARCABUAHADASIAAhEBAxEB/8QAFwABAQEBAAAAAAAAAAAAAAAA
		AAIBA//EABcBAQEBAQAAAAAAAAAAAAAAAAABAgT/2gAMAwEAAhADEAAAAeQx0AAAAAAAbq5zQsxC5agXqAAAq4uc
		YTCalqBrtAAAq42ctJTFSy7kXqAAAAAAAAAAAAAAAA//xAAaEAADAQEBAQAAAAAAAAAAAAAAAREwIEBQ/9oACAEB
		AAEFAvfCEITFcvFcvFcvFcvFFKUo/o//xAAfEQEAAgAGAwAAAAAAAAAAAAACAAEDEBESIDITMED/2gAIAQMBAT8B
		9DapTyKFq744nbIduLN2psUAvX4v/8QAFBEBAAAAAAAAAAAAAAAAAAAAUP/aAAgBAgEBPwEr/8QAFBABAAAAAAAA
		AAAAAAAAAAAAcP/aAAgBAQAGPwIa/8QAGxAAAgMBAQEAAAAAAAAAAAAAABEBMDFxQFD/2gAIAQEAAT8h90Qzs7Oz
		slLubububuaZIQQQQk4+j//aAAwDAQACAAMAAAAQ++++++++5xh++++pCD++++hDA+++++++++++++++++//xAAe
		EQEAAQMFAQAAAAAAAAAAAAABACAxYRAwQEGx8P/aAAgBAwEBPxDYdAzP5DItN/7rS1S8QmKBKnC//8QAHBEBAAEE
		AwAAAAAAAAAAAAAAAQAQESAxITBA/9oACAECAQE/EOhZdguLuhvFOZZgeL//xAAgEAABAgcBAQEAAAAAAAAAAAAR
		AAEgMDFBYXHwIUBQ/9oACAEBAAE/EPu9/oC4C4C4C4CEJMm6GhuTdDQ3Juhobk3Q0NyWSJ9WJ1idYnWJ0yBj+j//
		2Q==', 'base64')),
	('turned', decode('
		/9j/4AAQSkZJRgABAQAAAQABAAD/4QAiRXhpZgAATU0AKgAAAAgAAQESAAMAAAABAAYAAAAAAAD/2wBDACgcHiMe
		GSgjISMtKygwPGRBPDc3PHtYXUlkkYCZlo+AjIqgtObDoKrarYqMyP/L2u71////m8H////6/+b9//j/wAALCABU
		AHABAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQR
		BRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZ
		WmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW
		19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/AK1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFORN+ecYp3k/7
		X6UeT/tfpR5P+1+lHk/7X6Ujx7RnOaZRRRRRRRUkPepaKKKjm+6PrUVFFFFFFFSQ96loooqOb7o+tRUUUUUUUVJD
		3qWiiio5vuj61FRRRRRRRUkPepaKKKjm+6PrUVFFFFFFFPjcLnOead5q+ho81fQ0eavoaPNX0NNkcMuBmmUUUUUU
		UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUV//2Q==', 'base64')),
	('png', decode('
		iVBORw0KGgoAAAANSUhEUgAAAHAAAABUCAIAAADVvyQ8AAAApElEQVR42u3csQnAIBBA0VywyhA3UWqHtHYIJ0qd
		0gESEOT9/kAed60xMg/914kAKFCgAgoUqIACBSqgQIECFVCgQAUU6H6VL8N3u1a9u9fHhjp5AQUKVECBAhVQoECB
		CihQoAIKFKiAAgUqoECBAhVQoEAFFChQAQUKFKiAAgUqoED3LHwmaEOBAhVQoEAFFChQAQUKFKiAAgUqoECBCihQ
		oJq9dk4FsdoahEAAAAAASUVORK5CYII=', 'base64')),
	('rgba', decode('
		iVBORw0KGgoAAAANSUhEUgAAACgAAAAeCAYAAABe3VzdAAAAMElEQVR42u3ONwEAAAgAIEdxoxtDD0hAZvXEYxXP
		CQoKCgoKCgoKCgoKCgoKCgreWSe8AMLEe6u7AAAAAElFTkSuQmCC', 'base64')),
	('gif', decode('
		R0lGODdhcABUAIEAABTIKMgeHgAAAAAAACwAAAAAcABUAEAI/wADCBxIsKDBgwgTKlzIsKHDhxAjSpxIsaLFixgz
		aiwIoKPHjyBDihwJcqNJiCRTqlR5siXDlTBjdnRJE6HMmylr6iSIs2fInUCDCh1KtKjRo0iTKl3KtGkAn1BnOqUY
		FepUqlV7Xp2YVevWiF1xfgUbVubYs2jTql3Ltq3bt3Djym1b1uxcgXVj3sWbd+Xep31Z7g0s+C7hnIMPj/yreHHi
		xiUfQ/b4t7Lly5gza97MubPnz6BDix5NurTp06hTS54MgDFryqsnu37dOjbk2a9xs9Yt23Zj3rd9Kwb+W/hh4sON
		E0Z+XHlg5sud94X+XLX169iza9/Ovbv37+DDiwMPEBAAOw==', 'base64')),
	('webp', decode('
		UklGRsQAAABXRUJQVlA4ILgAAAAQBwCdASpwAFQAPxGIvFYsKaYjpugBgCIJZQDRgBONwz234XjsVHy+1wMIwMXe
		r6sON2f0tzuVx3EPenM1wajS0AD+5fo9JdLmuf/cH6g/iCe1lXzZqaMWZszwPvIXOLVevOH9ZR+1+qT+j/yai/yb
		1H3+7+pv+ANBl7zti8l65sFZDgqKAnG+V10M8z86PLSzX/rABhTfIZUDmVoTpR3hFNKleusOl3cWXQeql5oQVHVn
		AAkSAAAA', 'base64')),
	('thin', decode('
		iVBORw0KGgoAAAANSUhEUgAAASwAAAABCAIAAADrWgR+AAAAFElEQVR42mNkZGJmGAWjYBQMHAAAHBoACPqerDkA
		AAAASUVORK5CYII=', 'base64'));
INSERT INTO picture (name, bytes)
	SELECT 'half a ' || name, substr(bytes, 1, length(bytes) / 2) FROM picture
	WHERE name IN ('jpeg', 'png', 'gif', 'webp') ORDER BY id;
INSERT INTO picture (name, bytes) VALUES
	('nothing', ''), ('a text', 'This is no picture.'), ('a jpeg''s first bytes', '\xffd8ff'),
	('a png that says 60000 x 60000', decode('89504e470d0a1a0a0000000d49484452' ||
		'0000ea600000ea600802000000', 'hex') || '\x00000000'),
	('an animated webp', decode('
		UklGRsIAAABXRUJQVlA4WAoAAAACAAAAbwAAUwAAQU5JTQYAAAAAAAAAAABBTk1GZgAAAAAAAAAAAG8AAFMAAGQAAAJW
		UDhMTQAAAC9vwBQADzD/8z//8x9aMNO2TRiMP9mZwrQrov8zAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
		AADAVFX7NAAAAACAw6wHAEFOTUYoAAAACgAACgAAPAAAKAAAZAAAAFZQOEwPAAAALzwACgAHENH//gciov8BAA==', 'base64')),
	('a webp of no frame', convert_to('RIFF', 'UTF8') || '\x28000000' || convert_to('WEBPVP8X', 'UTF8') ||
		'\x0a000000020000006f0000530000' || convert_to('ANIM', 'UTF8') || '\x06000000ffffffff0000' || '\x00000000'),
	('a bmp', '\x424d3600000000000000360000002800000001000000010000000100180000000000');

SELECT p.name, i.format, i.width, i.height, i.channels, i.bits, i.orientation, i.progressive,
	i.animated, i.complete
FROM picture p, llava_image_info(p.bytes) i ORDER BY p.id;
SELECT p.name, (llava_image_info(p.bytes)).problem FROM picture p ORDER BY p.id;
SELECT llava_image_info(NULL) IS NULL AS null_of_null;

-- what is sent is a JPEG, upright, with sides the model's patches divide
SELECT p.name, i.format, i.width, i.height, i.orientation, i.complete, i.problem
FROM picture p, llava_image_info(llava_prepare_image(p.bytes)) i
WHERE (llava_image_info(p.bytes)).problem IS NULL AND p.name <> 'half a gif' ORDER BY p.id;
-- a JPEG that is right already is sent as it is
SELECT p.name, llava_prepare_image(p.bytes) = p.bytes AS untouched
FROM picture p WHERE (llava_image_info(p.bytes)).problem IS NULL AND p.name <> 'half a gif' ORDER BY p.id;
-- the arguments count
SELECT factor, floor, ceiling, i.width, i.height
FROM (VALUES (28, 3136, 3136), (28, 100000, 200000), (32, 4096, 1310720), (14, 1, 784)) AS a (factor, floor, ceiling),
	picture p, llava_image_info(llava_prepare_image(p.bytes, factor, floor, ceiling)) i
WHERE p.name = 'png';
SELECT length(llava_prepare_image(bytes, quality => 10)) < length(llava_prepare_image(bytes, quality => 100)) AS smaller
FROM picture WHERE name = 'png';

-- refusals; an interlaced picture that is cut shows it only here
SELECT llava_prepare_image(bytes) FROM picture WHERE name = 'half a jpeg';
SELECT llava_prepare_image(bytes) FROM picture WHERE name = 'half a gif';
SELECT llava_prepare_image(bytes) FROM picture WHERE name = 'a text';
SELECT llava_prepare_image(bytes) FROM picture WHERE name = 'a png that says 60000 x 60000';
SELECT llava_prepare_image(bytes) FROM picture WHERE name = 'thin';
SELECT llava_prepare_image(bytes) FROM picture WHERE name = 'a webp of no frame';
SELECT llava_prepare_image(bytes, 13) FROM picture WHERE name = 'png';
\set VERBOSITY terse
SELECT llava_prepare_image(bytes, min_pixels => 0) FROM picture WHERE name = 'png';
SELECT llava_prepare_image(bytes, max_pixels => 100000001) FROM picture WHERE name = 'png';
SELECT llava_prepare_image(bytes, max_pixels => 3000) FROM picture WHERE name = 'png';
SELECT llava_prepare_image(bytes, max_pixels => 700, min_pixels => 1) FROM picture WHERE name = 'png';
SELECT llava_prepare_image(bytes, quality => 0) FROM picture WHERE name = 'png';
SELECT llava_prepare_image(bytes, quality => 101) FROM picture WHERE name = 'png';
-- the settings are limits
SET llava_zh.image_max_pixels = '9';
SELECT llava_prepare_image(bytes) FROM picture WHERE name = 'png';
RESET llava_zh.image_max_pixels;
SET llava_zh.image_max_memory = '1kB';
SELECT llava_prepare_image(bytes) FROM picture WHERE name = 'progressive';
SELECT llava_prepare_image(bytes) IS NOT NULL AS by_rows FROM picture WHERE name = 'jpeg';
RESET llava_zh.image_max_memory;
SET llava_zh.image_take_cut = on;
SELECT llava_prepare_image(bytes) FROM picture WHERE name = 'half a png';
RESET llava_zh.image_take_cut;
SELECT length(llava_prepare_image(bytes)) AS half_chroma FROM picture WHERE name = 'png' \gset
SET llava_zh.image_full_chroma = on;
SELECT length(llava_prepare_image(bytes)) > :half_chroma AS larger FROM picture WHERE name = 'png';
RESET llava_zh.image_full_chroma;
\set VERBOSITY sqlstate
SELECT llava_prepare_image(bytes) FROM picture WHERE name = 'half a jpeg';
SELECT llava_prepare_image(bytes) FROM picture WHERE name = 'thin';
SELECT llava_prepare_image(bytes) FROM picture WHERE name = 'a webp of no frame';
SELECT llava_prepare_image(bytes) FROM picture WHERE name = 'a png that says 60000 x 60000';
SELECT llava_prepare_image(bytes, 13) FROM picture WHERE name = 'png';
