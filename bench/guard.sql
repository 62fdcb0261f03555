-- Rows for bench/guard.sh: 512 bytes of harmless English and of Chinese, made from common words by a fixed seed.
\set QUIET on
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS moderation;
CREATE TABLE word (language text, n int, word text, PRIMARY KEY (language, n));
INSERT INTO word SELECT 'English', row_number() OVER (), w FROM unnest(string_to_array(
	'the of and to in a is that for it as was with be by on not he this are or his from at which but have an had they you were their one all we can her has there been if more when will would who so no said what up its about into than them only other new some could time these two may then do first any my now such like our over man me even most made after also did many before must through years where much your way well down should because each just those people how too little state good very make world still own see men work long get here between both life being under never day same another know while last might us great old year off come since against go came right used take three states himself few house use during without again place around however home small found thought went say part once general high upon school every left head door water room almost word light morning table garden letter number story river road music paper window summer winter market teacher student family friend dinner coffee bread train station ticket street city village mountain field weather cloud rain sun moon star bird horse dog cat tree flower leaf apple milk sugar salt kitchen bridge boat harbour island forest lake valley path stone wood glass metal wool cotton colour green blue yellow white brown quiet early late slow quick warm cold soft heavy round narrow wide deep simple careful useful',
	' ')) AS w;
INSERT INTO word SELECT 'Chinese', row_number() OVER (), w FROM unnest(string_to_array(
	'我们 今天 学习 工作 时间 城市 图书馆 老师 学生 朋友 家庭 晚饭 早上 天气 下雨 阳光 花园 河流 桥 火车 车站 音乐 电影 文章 故事 问题 回答 方法 研究 结果 数据 系统 电脑 手机 网络 软件 设计 项目 计划 会议 报告 公司 市场 产品 价格 质量 服务 客户 合同 经验 知识 技术 科学 数学 物理 化学 历史 地理 语言 文化 艺术 健康 运动 跑步 游泳 篮球 医生 医院 药店 水果 苹果 面包 牛奶 茶 咖啡 米饭 蔬菜 鱼 厨房 房间 窗户 桌子 椅子 衣服 颜色 红色 蓝色 绿色 白色 春天 夏天 秋天 冬天 山 海 湖 森林 动物 小猫 小狗 鸟 孩子 父母 邻居 旅行 飞机 地图 照片 礼物 节日 生日 快乐 安静 美丽 简单 重要 认真 清楚 很 的 了 在 和 是 也 都 就 还 可以 需要 开始 完成 喜欢 觉得 知道 看见 听说',
	' ')) AS w;
CREATE TABLE text_row (language text, n int, account text, body text, PRIMARY KEY (language, n));
SELECT setseed(0.5);
INSERT INTO text_row
SELECT l.language, r, 'account ' || r % 1000, (
	SELECT convert_from(substr(convert_to(string_agg(w.word, CASE l.language WHEN 'English' THEN ' ' ELSE '' END ORDER BY i), 'UTF8'), 1,
		CASE l.language WHEN 'English' THEN 512 ELSE 510 END), 'UTF8')
	FROM (SELECT i, 1 + floor(random() * l.words)::int AS n FROM generate_series(1, 260) AS i WHERE r > 0) AS pick
	JOIN word AS w ON w.language = l.language AND w.n = pick.n)
FROM (VALUES ('English', (SELECT count(*) FROM word WHERE language = 'English')), ('Chinese', (SELECT count(*) FROM word WHERE language = 'Chinese'))) AS l (language, words),
	generate_series(1, 2000) AS r;
-- Harmless they must be, or the guard would be measured recording violations.
DELETE FROM text_row AS t WHERE EXISTS (SELECT FROM moderation.verdict(t.body) AS v WHERE v.flagged);
SELECT format('%s %s rows of %s bytes, %s left out as flagged', count(*), language, round(avg(octet_length(body))), 2000 - count(*)) FROM text_row GROUP BY language ORDER BY language DESC;

CREATE TABLE plain (id int, account text, body text);
CREATE TABLE passing (LIKE plain);
CREATE TABLE guarded (LIKE plain);
SELECT moderation.guard('passing', '{body}', 'account'), moderation.guard('guarded', '{body}', 'account');
CREATE TABLE result (language text, path text, variant text, cpu float8, wall float8);

-- Microseconds of this backend's CPU, as the kernel's scheduler counts them.
CREATE FUNCTION cpu() RETURNS float8 LANGUAGE sql AS $$ SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::float8 / 1000 $$;
