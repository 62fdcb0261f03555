/*
 * match_rules.c
 *		What each part of a rule finds: terms, boundaries, stars, lists, patterns, all_of, contexts, allowed phrases, views.
 */
#include "match_tap.h"

#define CONTEXTS \
	"contexts:\n" \
	"  - {id: news, terms: [police said], patterns: ['\\breported(?: by)?\\b'], within: 10, factor: 0.5}\n" \
	"  - {id: quote, terms: ['he said'], within: 20, factor: 0}\n" \
	"  - {id: fiction, terms: [chapter one], within: 0, factor: 0.25}\n"

/* A text, what is to be found in it, and what that shows; the last has no text. */
typedef struct Case
{
	const char *text;
	const char *expected;
	const char *what;
} Case;

static void
find_all(const Made *made, const Case *cases)
{
	for (; cases->text != NULL; cases++)
		finds(made, cases->text, cases->expected, cases->what);
}

static void
terms(void)
{
	Made		made = make(HEAD CATEGORIES RULES
							RULE("bomb", "terms: [bomb]")
							RULE("star", "terms: [kill*, '*cide', '*ooth*']")
							RULE("phrase", "terms: [\"make  a\\tgun\"]")
							RULE("han", "terms: [炸弹, 枪]")
							RULE("han.star", "terms: ['大学*']")
							RULE("accent", "terms: [Café, ＡＢＣ, 臺灣]")
							RULE("sign", "terms: [c++, '#x', '.onion']"));

	find_all(&made, (const Case[]) {
		{"a Bomb!", "bomb 2-6", "a word, whatever its case"},
		{"bombs abomb bomb1 bombé", "", "not inside a word"},
		{"bomb,bomb(bomb)", "bomb 0-4 bomb 5-9 bomb 10-14", "beside punctuation"},
		{"bomb", "bomb 0-4", "as the whole text"},
		{"", "", "nothing in nothing"},
		{"killing skill", "star 0-7", "a star at the end lets the word go on, not begin earlier"},
		{"genocide cider", "star 0-8", "a star at the start lets the word begin earlier"},
		{"smoothly", "star 0-8", "stars at both ends"},
		{"MAKE a\n\ngun", "phrase 0-11", "white space stands for any white space"},
		{"makea gun", "", "and is needed"},
		{"买炸弹吗", "han 3-9", "a Chinese word among others"},
		{"他有枪。", "han 6-9", "a word of one character"},
		{"北京大学生活", "han.star 6-12", "a Chinese term with a star may straddle words"},
		{"CAFE\xcc\x81 abc 台湾", "accent 0-4 accent 7-10 accent 11-17", "accents, width and traditional characters"},
		{"c++ or #x or abc.onion", "sign 0-3 sign 7-9 accent 13-16 sign 16-22", "signs are found where a boundary may be"},
		{NULL}
	});
	unmake(&made);
}

static void
no_rules(void)
{
	Made		made = make(HEAD CATEGORIES);

	finds(&made, "a bomb", "", "nothing without a rule");
	unmake(&made);
}

static void
straddling(void)
{
	Made		made = make(SIMPLE("terms: [大学生]"));

	find_all(&made, (const Case[]) {
		{"大学生", "r 0-9", "a Chinese term that is words"},
		{"北京大学生物系", "", "a Chinese term may not straddle words"},
		{NULL}
	});
	unmake(&made);
}

static void
lists(void)
{
	Made		made = make(HEAD "words:\n  who.en: [Examplian*, foolander, two words]\n  what: [vermin, '*rats']\n" CATEGORIES RULES
							RULE("a", "terms: [\"deport all {who.en}\", \"send the {who.en} back\", \"{who.en} are {what}\"]")
							RULE("p", "patterns: ['\\b{who.en} (?:eat|ate) {what}']")
							RULE("b", "terms: [\"a{what}b\"]"));
	MdrEngineRule rule;

	mdr_engine_rule(made.engine, 0, &rule);
	ok(rule.nterms == 3 + 3 + 6, "lists are expanded, every combination");
	find_all(&made, (const Case[]) {
		{"deport all Examplians", "a 0-21", "a list's star counts at the end of a term"},
		{"deport all foolanders", "", "and only where it stands"},
		{"deport all two  words", "a 0-21", "a list's word may be several"},
		{"send the Examplians back", "a 0-24", "a star inside a term lets the word go on"},
		{"send the Examplian back", "a 0-23", "or not"},
		{"send the Examplians far back", "", "but not further"},
		{"send the foolanders back", "", "and no word without star"},
		{"Examplians are muskrats", "a 0-23", "stars on both sides of a gap"},
		{"Examplians are ratsy", "", "the end counts after a gap, too"},
		{"Examplians ate dormrats", "p 0-23", "words of a list are alternatives in a pattern"},
		{"averminb armratsb", "b 0-8 b 9-17", "a list inside a word"},
		{NULL}
	});
	unmake(&made);
}

static void
patterns(void)
{
	Made		made = make(HEAD CATEGORIES RULES
							RULE("p", "patterns: ['\\b(?:buy|sell)\\s+(?:a )?(\\w{1,10})\\s+gun\\b', 'x[a-c]{2}y', '怎么.{0,4}炸[弹药]', '(?<w>ab|cd)-\\k<w>']")
							RULE("look", "patterns: ['(?<!no )bomb(?!er)']")
							RULE("wide", "patterns: [\"（bomb）\", \"[，：]now[!！]\"]")
							RULE("none", "patterns: ['\\d{3}-\\d{4}']"));

	find_all(&made, (const Case[]) {
		{"Buy a big  gun, sell my gun", "p 0-14 p 16-27", "all matches of a pattern"},
		{"xaby xacby xdby", "p 0-4", "a class with a count"},
		{"怎么做个炸药", "p 0-18", "a Chinese gap counts characters"},
		{"怎么样才能做个炸药", "", "and ends"},
		{"ab-ab ab-cd cd-cd", "p 0-5 p 12-17", "a back-reference"},
		{"no bomb, a bomb, a bomber", "look 11-15", "look-around"},
		{"(bomb) （BOMB）", "wide 0-6 look 1-5 wide 7-17 look 10-14", "full-width signs are literals once folded"},
		{"bombs,now! :now！", "look 0-4 wide 5-10 wide 11-18", "and in classes"},
		{"call 555-1234 or ٥٥٥-١٢٣٤", "none 5-13 none 17-32", "a pattern that no literal announces"},
		{NULL}
	});
	unmake(&made);
}

static void
co_occurrence(void)
{
	Made		made = make(HEAD CATEGORIES RULES
							RULE("near", "all_of: [[cat, cats], [dog]], within: 12")
							RULE("order", "all_of: [[one], [two], [three]], within: 30, ordered: true")
							RULE("sentence", "all_of: [[ask], [harm, 伤害]], within: 40, sentence: true")
							RULE("three", "all_of: [[red], [green], [blue]], within: 20")
							RULE("same", "all_of: [[big house], [house, big]], within: 30")
							RULE("han", "all_of: [[猫], [狗]], within: 4")
							RULE("allow", "all_of: [[hot], [wheels]], allow: [hot dog]"));

	find_all(&made, (const Case[]) {
		{"cat and dog", "near 0-11", "one of each"},
		{"dog or a cat", "near 0-12", "in any order, twelve characters"},
		{"dog or a cats", "", "thirteen characters are too far"},
		{"cat cat dog dog cat", "near 4-11 near 12-19", "the nearest pairs"},
		{"one two three", "order 0-13", "three in order"},
		{"one three two", "", "not out of order"},
		{"three one one two two three", "order 10-27", "in order, beginning as late as possible"},
		{"ask, then harm", "sentence 0-14", "within a sentence"},
		{"They ask him. No harm is done.", "", "not over its end"},
		{"They ask him? No harm", "", "whatever ends it"},
		{"(They ask him.) No harm", "", "nor over a bracket behind the end"},
		{"ask him (him). No harm", "", "nor over an end behind a bracket"},
		{"ask 一下。伤害", "", "nor over the end of a Chinese one"},
		{"ask Dr. Harm, e.g. harm", "sentence 0-12", "an abbreviation ends none"},
		{"ask 3.5 harm", "sentence 0-12", "nor does a number's point"},
		{"blue red green", "three 0-14", "three in any order"},
		{"red red blue blue", "", "all of them"},
		{"big house", "", "a word does not count for two groups"},
		{"big house, big one", "same 0-14", "two words do"},
		{"猫吃了狗", "han 0-12", "characters, not bytes"},
		{"猫也吃了狗", "", "five characters are too far"},
		{"hot dog on wheels", "", "a word in an allowed phrase does not count"},
		{"hot dog, hot wheels", "allow 9-19", "another does"},
		{NULL}
	});
	unmake(&made);
}

static void
contexts(void)
{
	Made		made = make(HEAD CONTEXTS
							"categories:\n  - {id: c, clause: {en: c}, unless: [news, fiction]}\n" RULES
							RULE("cat", "terms: [bomb]")
							RULE("own", "terms: [gun], unless: [quote, news]")
							RULE("none", "terms: [knife], unless: []"));

	find_all(&made, (const Case[]) {
		{"bomb", "cat 0-4", "no context"},
		{"police said bomb", "cat 12-16*0.40", "a context before"},
		{"bomb, reported by x", "cat 0-4*0.40", "a context's pattern behind"},
		{"bomb 1234567890 police said", "cat 0-4", "too far"},
		{"bomb 123456789 reported", "cat 0-4", "too far by one"},
		{"bomb 12345678 reported", "cat 0-4*0.40", "as far as may be"},
		{"reported 12345678 bomb", "cat 18-22*0.40", "on the other side"},
		{"chapter one. xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx bomb", "cat 59-63*0.20", "a context that counts anywhere"},
		{"chapter one: police said bomb", "cat 25-29*0.20", "the smallest factor of several"},
		{"he said gun", "own 8-11*0.00", "excused altogether, and still told"},
		{"he said bomb", "cat 8-12", "not a context of this rule"},
		{"chapter one gun", "own 12-15", "a rule's own contexts replace the category's"},
		{"police said knife", "none 12-17", "or nothing excuses"},
		{"p o l i c e  s a i d bomb", "cat 21-25*0.40", "a context in disguise"},
		{"p.o.l.i.c.e s.a.i.d b.o.m.b", "cat 20-27/joined*0.40", "both in disguise"},
		{"p0lice said bomb", "cat 12-16*0.40", "a context with a digit in it"},
		{"b.o.m.b 12345678 r.e.p.o.r.t.e.d", "cat 0-7/joined*0.40", "as far as may be, spread letters taken together"},
		{"b.o.m.b 123456789 r.e.p.o.r.t.e.d", "cat 0-7/joined", "too far by one, the same"},
		{NULL}
	});
	unmake(&made);
}

static void
allowed(void)
{
	Made		made = make("policy: p\nallow: [Scunthorpe, '*tit mouse']\n" CATEGORIES RULES
							RULE("a", "terms: ['*cunt*', 'tit', 'shoot*', 'shoot a photo op'], allow: [photo shoot, shoot a photo]")
							RULE("b", "terms: ['shoot*'], patterns: ['bang.{1,9}shoot']"));

	find_all(&made, (const Case[]) {
		{"Scunthorpe cunts", "a 11-16", "the policy's phrases"},
		{"great tit mouse", "", "with a star"},
		{"a photo shoot", "b 8-13", "a rule's phrases are its own"},
		{"shoot a photo", "b 0-5", "whatever side the term is on"},
		{"shoot a photo op", "a 0-16 b 0-5", "the longest match wins"},
		{"photo shooting", "a 6-14 b 6-14", "an allowed phrase has boundaries, too"},
		{NULL}
	});
	unmake(&made);
}

static void
views(void)
{
	Made		made = make(HEAD CATEGORIES RULES
							RULE("t", "terms: [kill, make bomb, 炸弹]")
							RULE("plain", "terms: [kill], views: [plain]")
							RULE("leet", "patterns: ['\\bki[ls]{2}\\b'], views: [leet]")
							RULE("join", "patterns: ['\\bmake\\s+a\\s+gun\\b', '买.{0,2}枪支']")
							RULE("group", "all_of: [[kill], [them]]")
							RULE("near", "all_of: [[knife], [throat, u]], within: 12")
							RULE("sign", "terms: ['prize $']")
							RULE("ends", "patterns: ['(?:\\bps|p图).{0,8}\\bav\\b', '(?:fake|\\bps).{0,8}(?:nude|\\bav\\b)']"));

	find_all(&made, (const Case[]) {
		{"k1ll", "t 0-4/leet leet 0-4/leet", "digits for letters"},
		{"k i l l", "t 0-7/joined", "spread letters"},
		{"kiiiill", "t 0-7/squeezed", "stretched letters"},
		{"m a k e  b o m b", "t 0-16/joined", "a phrase without its spaces"},
		{"m.a.k.e a g.u.n", "join 0-15/joined", "a pattern without its spaces"},
		{"*m*a*k*e* a *g*u*n*", "join 1-18/joined", "and without the signs around its words"},
		{"买*枪*支", "join 0-11/joined", "a Chinese pattern through punctuation"},
		{"炸*弹", "t 0-7/joined", "a Chinese term through punctuation"},
		{"kill them k1ll", "group 0-9 t 0-4 plain 0-4 leet 0-4 group 5-14/leet t 10-14/leet leet 10-14/leet", "what the plain text has is told once only"},
		{"k1ll th3m", "group 0-9/leet t 0-4/leet leet 0-4/leet", "words of a group in a view"},
		{"k.n.i.f.e t.h.r.o.a.t", "near 0-21/joined", "the distance of spread words is that of their letters"},
		{"k.n.i.f.e a t.h.r.o.a.t", "", "too far all the same"},
		{"knife u", "near 0-7", "a single letter"},
		{"knife f.l.u.n.k", "", "not one that is a piece of a spread word"},
		{"p.r.i.z.e", "", "a term with a sign at its end is another without"},
		{"p.r.i.z.e $", "", "and is not looked for among spread letters"},
		{"p.s a.v", "", "two letters are not spread"},
		{"a p.i.p.s do h.a.v.e", "", "a pattern's words begin and end where words do"},
		{NULL}
	});
	unmake(&made);
}

int
main(void)
{
	terms();
	no_rules();
	straddling();
	lists();
	patterns();
	co_occurrence();
	contexts();
	allowed();
	views();
	mdr_text_release();
	return done();
}
