//! Function words: words of a question that say nothing of what is looked for. They are indexed and found like all others; they only
//! do not count where a question is answered with files that have some of its words.

use super::language::Language;

/// Function words by language, folded, in the order of the alphabet. English is Snowball's list; the others are the frequent ones.
const LISTS: [(&str, &str); 12] = [
    (
        "en",
        "a about above after again against all am an and any are as at be because been before being below between both but by can could \
         did do does doing don down during each few for from further had has have having he her here hers herself him himself his how i if \
         in into is it its itself just ll me might more most must my myself no nor not now of off on once only or other ought our ours \
         ourselves out over own re s same shall she should so some such t than that the their theirs them themselves then there these they \
         this those through to too under until up us ve very was we were what when where which while who whom why will with would you your \
         yours yourself yourselves",
    ),
    (
        "de",
        "aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bin bis bist da damit dann das dass dein deine \
         dem den der des dich die dies diese diesem diesen dieser dieses dir doch dort du durch ein eine einem einen einer eines er es etwas \
         euch fur gegen habe haben hat hatte hatten hier hin hinter ich ihm ihn ihr ihre ihrem ihren ihrer im in ins ist ja jede jedem jeden \
         jeder jedes jetzt kann kein keine keinen keiner konnen mein meine mich mir mit nach nicht noch nun nur ob oder ohne sehr sein seine \
         seinem seinen seiner sich sie sind so soll sollen sondern sowie uber um und uns unser unsere unter vom von vor wann war waren warum \
         was weil welche welchem welchen welcher welches wenn wer werden wie wieder wird wo wurde wurden zu zum zur zwischen",
    ),
    (
        "fr",
        "a ai au aucun aussi autre aux avait avec avoir c ce cela ces cet cette ceux comme comment d dans de des dont du elle elles en entre \
         est et etait etaient ete etre eu eux il ils j je l la le les leur leurs lors lui m ma mais me meme mes moi mon n ne ni nos notre \
         nous on ont ou par pas pendant peut plus pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans se sera ses si son \
         sont sous sur t ta te tes toi ton tous tout toute toutes tu un une vers vos votre vous y",
    ),
    (
        "es",
        "a al algo ante antes asi aun aunque cada como con contra cual cuales cuando cuanto de del desde donde dos e el ella ellas ellos en \
         entre era eran es esa esas ese eso esos esta estaba estan estar estas este esto estos fue fueron ha habia han hasta hay la las le \
         les lo los mas me mi mis mucho muy nada ni no nos nosotros o os otra otras otro otros para pero poco por porque pues que quien \
         quienes se segun ser si sin sobre son su sus tambien tanto te tiene tienen todo todos tu tus un una unas uno unos y ya yo",
    ),
    (
        "it",
        "a ad agli ai al alla alle allo anche avere c che chi ci cio come con contro cui d da dagli dai dal dalla dalle dallo degli dei del \
         dell della delle dello di dove e ed era erano essere fra gli ha hanno i il in io l la le lei li lo loro lui ma mi mia mie mio ne \
         negli nei nel nella nelle nello noi non nostra nostro o ogni per perche piu puo qual quale quali quando quanto quella quelle quelli \
         quello questa queste questi questo s se sei senza si sia siamo sono sopra sotto su sua sue sugli sui sul sulla sulle suo tra tu \
         tutti tutto un una uno vi voi",
    ),
    (
        "pt",
        "a ao aos aquela aquele aquilo as ate cada com como contra da das de dela dele deles depois desde do dos e ela elas ele eles em entre \
         era eram essa essas esse esses esta estao estar estas estava este estes eu foi foram ha isso isto ja la lhe lhes mais mas me mesmo \
         meu minha muito na nao nas nem no nos nossa nosso num numa o onde os ou para pela pelas pelo pelos por porque qual quais quando que \
         quem se sem ser seu seus sobre sua suas tambem te tem toda todas todo todos tu um uma umas uns voce voces",
    ),
    (
        "nl",
        "aan al alle alles als altijd ander bij daar dan dat de der deze die dit doch doen door dus een en er ge geen geweest haar had heb \
         hebben heeft hem het hier hij hoe hun iemand iets ik in is ja je kan kon kunnen maar me meer men met mij mijn moet na naar niet \
         niets nog nu of om omdat onder ons ook op over reeds te tegen toch toen tot u uit uw van veel voor waar waarom want waren was wat \
         welk welke werd wezen wie wij wil worden wordt zal ze zelf zich zij zijn zo zonder zou",
    ),
    (
        "sv",
        "alla allt att av blev bli blir da dar de dem den denna deras dess dessa det detta dig din dina ditt du efter ej eller en er ett for \
         fran genom ha hade han hans har henne hennes hon honom hur har i icke ingen inom inte jag ju kan kunde man med mellan men mig min \
         mina mitt mot mycket nagon nagot nar ni nu och om oss pa sa samma sedan sig sin sina sitta sjalv skulle som till under upp ut utan \
         vad var vara vart varje vem vi vid vilka vilken vilket ar",
    ),
    (
        "da",
        "ad af alle alt anden at blev blive bliver da de dem den denne der deres det dette dig din disse dog du efter eller en end er et for \
         fra ham han hans har havde have hende hendes her hos hun hvad hvem hver hvilken hvis hvor hvordan i ikke ind jeg jer jo kan kunne \
         man mange med meget men mig min mine mit mod ned noget nogle nu nar og ogsa om op os over pa selv sig sin sine sit skal skulle som \
         sadan thi til ud under var vi vil ville vor vaere vaeret",
    ),
    (
        "nb",
        "alle at av bare begge ble blei bli blir da de deg dei dem den denne der dere deres det dette di din disse du eg ei eller en enn er \
         et ett etter for fra ha hadde han hans har hennes her ho hun hva hvem hver hvilken hvis hvor hvordan hvorfor i ikke ingen inn ja jeg \
         kan kom kunne man mange me med meg meget mellom men mi min mitt mot ned noe noen nar og ogsa om opp oss over pa sa seg selv sin sine \
         sitt skal skulle slik som til ut uten var vart ved vi vil ville vaere vaert",
    ),
    (
        "fi",
        "ei eivat eli ellei en enta eri etta han hanen hanta he heidan heita ja johon joka jolla jonka jos joten jotka kanssa keita kenen \
         kuin kuka kun me meidan mika miksi mille milla minka mina minun missa mita mitka miten muissa mukaan mutta myos ne nama niiden \
         niin niita noiden nyt oli olisi olla olleet ollut on ovat se sen seka siella siina sina sinun sita tai taman tama tassa te tuo tuon \
         vaan vai vaikka voi yli",
    ),
    (
        "ru",
        "а без более бы был была были было быть в вам вас весь во вот все всего всех вы где да даже для до его ее если есть еще же за здесь и \
         из или им их к как какая какие какой ко когда который которые кто ли либо мне может мы на над надо наш не него нее нет ни них но ну \
         о об один он она они оно от очень по под после при про с сам свои себя со так также такие такой там те тем то того тоже той только \
         том ты у уже хотя чего чей чем что чтобы чье эта эти это этого этой этом этот я",
    ),
];

/// The language of a question by its function words, and English when they tell nothing.
pub fn asked_in<'a>(words: impl Iterator<Item = &'a str> + Clone) -> Language {
    let mut best = (0, Language::ENGLISH);
    for (code, list) in LISTS {
        let count = words.clone().filter(|word| has(list, word)).count();
        if count > best.0
            && let Some(language) = Language::named(code)
        {
            best = (count, language);
        }
    }
    best.1
}

/// True for a folded function word of a language.
pub fn is_function_word(language: Language, word: &str) -> bool {
    let mut lists = LISTS.iter();
    lists.any(|(code, list)| *code == language.code() && has(list, word))
}

fn has(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|known| known == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_tell_their_language() {
        let asked = |text: &str| asked_in(text.split(' ')).code();
        assert_eq!(asked("what is the heat of wings"), "en");
        assert_eq!(asked("wie wird die rechnung bezahlt"), "de");
        assert_eq!(asked("ou est le contrat de la maison"), "fr");
        assert_eq!(asked("como se hace el informe"), "es");
        assert_eq!(asked("где лежит договор"), "ru");
        assert_eq!(asked("heat wings speed"), "en");
        assert!(is_function_word(Language::ENGLISH, "what"));
        assert!(!is_function_word(Language::ENGLISH, "die"));
    }

    #[test]
    fn lists_are_folded() {
        for (code, list) in LISTS {
            assert!(Language::named(code).is_some(), "{code}");
            for word in list.split_ascii_whitespace() {
                assert_eq!(super::super::fold(word), word, "{code}");
            }
        }
    }
}
