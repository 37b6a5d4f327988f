"""The words that the rules go by: labels of other numbers, common words, given names.

English, Spanish and Haitian Creole; lower case, without accents, as a shadow has them.
"""

import re


def listed(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


OTHER_LABEL = re.compile(
    r"(?<![a-z])(?:permit|permiso|pemi|ticket|boleta|case|caso|folio|sr|ref|reference|referencia"
    r"|confirmation|confirmacion|tracking|invoice|factura|order|orden|license|licencia|plate|placa"
    r"|tag|parcel|meter|medidor|pole|poste|citation|request|solicitud|complaint|queja|record|report"
    r"|reporte|serial|model|vin|hydrant|asset|container|cart|bin|sign|transformer|violation|job"
    r"|project|bus|route|id|isbn|upc|account|acct|cuenta)s?"
    r"(?:[ \t:#.,\-]{0,3}(?:number|num|no|nbr|nr|numero|nimewo|id|is|was|es|era|de|code|service"
    r"|for|on|the)){0,4}[ \t:#.,\-(]{0,3}(?:[a-z]{1,4}-?)?$"
)
"""What stands before a number that is neither a person's nor a bank's."""

UTILITY_LABEL = re.compile(
    r"(?<![a-z])(?:water|sewer|wasd|utility|utilities|electric|power|fpl|gas|garbage|trash|waste"
    r"|toll|sunpass|agua|basura|luz|dlo|cable|internet|tax|property|library|permit)"
    r"(?:[ \t:#.,\-]{1,3}[a-z]{1,9}){0,2}[ \t]{0,2}$"
)
"""What stands before an account that is not one at a bank."""

TITLES = listed(
    """
    capt doctor doctora don dona dr father ing lic madam madame madmwazel miss mister monsieur
    mr mrs ms msye officer pastor prof professor rev reverend senor senora senorita sgt sir
    sister sr sra srta
    """
)

PARTICLES = listed("de del la las los da das do dos du van von der den di le el st ste mc mac")

CONJUNCTIONS = listed("and y e ak")

COMMON = listed(
    """
    a about above across actually afraid after again against ago ahead ahi ahora ak al algo
    alguien alguna algunas alguno algunos all alla alli almost along already also although
    always am american an and angry animal animals ankenn anko anonymous another anpil ante
    antes any anybody anymore anyone anything anyway ap apartamento apartment apre april apt
    aqui arbol arboles are area argentinian around as asap asi ask asking at august aunque avan
    ave avek aventura avenue away awful ayer ayuda ba bache baches back bad badly bagay bajo
    barking barrio bastante basura be beach because bed been before began behind being below
    beside best better between bien big bin biscayne bit blocked blocking blvd bo boat bon
    bondye both bothered brazilian brickell bridge broken broward buen buena buenas buenos
    building bulk bus business but by bye call calle called caller calles calling calls came
    camino can canal cannot car care carro carros cars casa casas case casi cat cats caused cell
    center cerca cerrado certain chak che check chemen chen chien chita christmas city ciudadana
    ciudadano clean cleaned clear cliente clogged close closed code collected collection
    colombian coming community company complain complaining complaint complex comunidad con
    concerned concerning condado condo condominio confidential confused contact contacting
    continue contra coral corner cosa cosas could county court covered creo creole crossing ct
    cual cuando cuanto cuban cuidado customer cut cutler dade damage damaged danger dangerous
    dark dat day days de dead dear debris december deja dejar dejaron del delante dentro denye
    department depi desde despues detras deye di dia dias dice dicen did dife different dificil
    dirty disabled disappointed discapacitada disgusted dispute dlo do does dog dogs doing
    dominican donde done door doral dos down dr drain drainage drive driver driveway driving due
    duena dueno dump dumped dumping durante during dwe each early east ede either elderly
    electric ella ellas ellos else emergency employee empty en encima encuentra end enfermo
    enfrente english enough entonces entre era es esa esas ese eske eso esos esperando esquina
    esta estaba estan estas este esto estos estoy estudiante etc even evening event ever every
    everybody everyone everything exactly existing expressway fallen false familia family fast
    fatra favor fe february fed feel fell fence fet few fi fill fine fire first fix fixed fl fla
    flat flood flooded flooding florida folks for forwarded found fourth frente friday from
    front frustrated fue fuera fuerte full gables gade garage garbage gardens gason gate gato
    gatos gaye gen gente genyen get getting give glad go goes going gone good got gracias
    graffiti gran grande grandes granmoun grass great green ground gwo ha hace hacen hacer hacia
    had haitian half han handicapped happening happy hard has hasta have having hay hazard
    hazardous he hear hello help hemos her here hers hey hi hialeah high highway hija hijo hijos
    him his hispanic hit hoa hola hole hollywood home homeless homeowner homestead honduran hope
    hoping hora horas hotel hour hours house how however hoy hueco huecos huge human hurt hwy i
    if ignored illegal illegally immediately important importante in inconvenience inform
    information informing injured inquilina inquilino inside inspector instead interested
    intersection into ir is isit issue issues it its jamaican jammed jan january jodi jou
    jubilada jubilado july june junto just justo ka k kab kale kap kapab kay keep keeps kendall
    kept ki kid kids kijan kile kind kisa kite kiyes know kom konsa kont konte kote kounye kwen
    la lado lady lake lan landlord lane lapli large lari las last late later latina latino lawn
    le leaking leave leaves left legliz les less let leta letting li life lift light lights like
    limye line litter little living llamando llamar llamo lleno llueve ln lo locked long look
    looking los lot lots loud louvri low luces luego lugar luz lwaye m machin mad made madre
    mail main maintenance make making mal mala malad malo man manager manana mande many map
    march marked mas may maybe mayor me mean media median medio medley meeting mejor men menm
    menos mes meses mesi message mete mexican mi miami miami-dade mis mismo miss missed missing
    monday month months more morning mosquito mosquitoes most mother moun move moved mow much
    mucha muchas mucho muchos mud mujer music must muy mwen my n/a na nada nadie nan ne near
    necesita necesito need needed needing needs neighbor neighborhood neighbors never new next
    ni nicaraguan nice night ningun ninguna nino ninos nnw no nobody noche noches noise noisy
    none noon north nos nosotros not nothing noticing notified nou november now nuestra nuestro
    number nunca nw o object observed obstructed obstruye october of off office officer often ok
    okay old on once one only onto opa-locka open opposite or order other others otra otro otros
    ou our out outage outraged outside over overflowing overgrown overtown own owner owners pa
    padre pale pandan para parada parece parent park parked parking parque part parte pasa
    pasado pase paske past path pati patient pavement paying pedestrian peligro peligrosa
    peligroso people per permit pero perro perros person persona personas peruvian pet phone
    photo pi pick picked picture piece pile pinecrest piti pitit pl place plant please plenyen
    plis poco pole police polis pool por porque possible poste posted pothole potholes pou
    poukisa power pral prale president private problem problema problems property propietaria
    propietario public puede pueden puerta puerto pues put pwoblem pwopriyete que quejarme
    question quickly quien quiero quisiera rain rapo rapote rat rats rd reach ready really rear
    receive recently recycling red redacted refer regarding regards rele remove removed renter
    repair report reportando reportar reported reporting request requesting resevwa residence
    resident residente residents respectfully responsab response rest ret rete retired return
    rezidan rican ridiculous right road roads roof room rota roto ruido sa sabe sad safe safety
    said same san saturday saw say saying scared school se sea second see seen semana semanas
    semenn senal senior sent september ser serious service several sewage sewer she should si
    sick side sidewalk siempre sign signal signs simply sin since sino sir sispann site sitting
    six smell so sobre solamente solo some somebody someone something sometimes son sonje soon
    sorry sort sot soti sou south soy spanish speaking speed speeding spoke st standing started
    state stay stays still stop stopped storm stray street streets stuck students su such suelo
    sunday supposed sure sus sw swale sweetwater take taken taking tal talk tall tambien tan
    tankou tanto tarde te teacher tell tenant tengo ter terrace terrible than thank thanks
    thanksgiving that the their them then there these they thing things think third this those
    though three through throughout thursday ticket tiempo tiene tienen till time times timoun
    tired to toda todas todavia today todo todos together told tomorrow tonight too took tou
    toujou tout tow toward towards town trabajo traffic trailer train trash tree trees tren tres
    trespassing tried tries truck trucks true trying tu tuesday turn turnpike two twop twou un
    una unable unas unbearable under unfortunately unhappy unit unknown unless uno unos unsafe
    until unusual up upset urgent urgente us usa use used using usted ustedes usually va van
    varias varios veces vecina vecindario vecino vecinos vehicle vehicles venezuelan very
    veteran vez via view vin vini vive viven vivo vle voy vwazen vwazinaj wait waiting walk
    walking wall want wanted wants wap was waste watch water way we wednesday week weeks well
    went were west westchester wet what whatever when where which while who whole whom whose why
    wide will window wish with withheld within without woman wondering word work worker working
    works worried worse worst would wout wrong wynwood ya yard ye year years yes yesterday yet
    yo yon you youn young your yours zafe zone zonn
    """
)
"""Words that end a name, and that no name starts with."""

GIVEN_NAMES = listed(
    """
    aaron abel abigail abraham ada adam adela adrian adriana agnes agustin aida aileen alain
    alan albert alberto alejandra alejandro alex alexander alexandra alexis alfonso alfred
    alfredo alice alicia alina alisha allen allison alma alvaro amada amalia amanda amber amelia
    amparo amy ana anabel andre andrea andres andrew andy angel angela angelica angelina angelo
    anita ann anna anne annette annie anthony antoine antonia antonio araceli ariana ariel
    armando arnold arthur arturo ashley astrid audrey augusto aurelio aurora barbara beatrice
    beatriz belkis ben benito benjamin bernadette bernard bernardo bertha betty beverly bianca
    blanca bob bonnie brad bradley brandon brenda brendan brian brianna bridget brittany bruce
    bruno bryan caleb calvin camila camille candace caridad carl carla carlos carmela carmen
    carol carolina caroline carolyn carrie catalina catherine cathy cecilia celeste celia cesar
    chad chantal charlene charles charlotte chelsea cheryl chloe chris christian christina
    christine christopher cindy claire clara clarence claude claudette claudia claudine claudio
    colleen concepcion connie consuelo corey cornelius cristian cristina cristobal crystal
    curtis cynthia daisy damian dan dana daniel daniela danielle danny daphne darlene darnell
    darryl dave david dayana deborah debra delia delores denis denise dennis derek desmond
    destiny diana diane diego dieudonne dolores domingo dominique don donald donna dora doris
    dorothy doug douglas duane dulce dwayne earl eddie edgar edith edna eduardo edward edwin
    efrain eileen elaine eleanor elena eli elias elisa elizabeth ella ellen eloisa elsa elvira
    emanuel emilia emilio emily emma emmanuel enrique eric erica erik erika ernest ernesto ernst
    esmeralda esperanza esteban estela esther ethan eugene eulalia eva evan evelyn evens
    ezequiel fabian fabiana fabienne fabiola fatima federico felicia felipe felix fernanda
    fernando fidel filip flora florence francesca francis francisca francisco francois francoise
    frank franklin franswa frantz fred freddy frederick gabriel gabriela gail gary gaston gavin
    gene george georges georgina gerald geraldine gerard gerardo german gilbert gilberto gilda
    gina ginette giovanni gisela gladys glenn gloria gonzalo gordon graciela greg gregorio
    gregory greta griselda guadalupe guerline guillaume guillermo gustavo guy gwendolyn haley
    hannah harold harry harvey heather hector heidi helen helena henri henry herbert heriberto
    hernan hilda hortensia howard hugo humberto ian ignacio iliana ines ingrid irene iris irma
    isaac isabel isabella isaiah ismael israel ivan ivette jaclyn jacob jacqueline jacques jaime
    jak jake jamal james jamie jana jane janet janice jann jasmin jasmine jason javier jay
    jazmin jean jeanette jeannine jeff jeffery jeffrey jennifer jenny jeremiah jeremy jerome
    jerry jesse jessica jesus jil jill jim jimmy jizel joan joann joanna joaquin jocelyn jodie
    joe joel joelle johanna john johnny jon jonas jonathan jordan jorge jose josefina joseph
    josephine joshua josue joyce jozef juan juana juanita judith judy julia julian juliana julie
    julien juliet julio julissa justin karen karina karl karla kate katherine kathleen kathryn
    kathy katia katie kayla keisha keith kelly kelvin ken kenia kenneth kenny kerline kerry
    kervens kettly kevin kim kimberly kirk kristen kristin kristina kurt kyle lamar larissa
    larry latoya laura lauren laurence laurie lawrence lazaro lea leah leandro lee leidy leila
    leo leon leonard leonardo leonel leonor leroy leslie leticia lidia lila lilian liliana
    lillian lina linda lindsay lisa lisandra liset lissette liz lizbeth logan lois lola lorena
    lorenzo loretta lori lorraine louis louise lourdes luc lucas lucia luciano lucie lucila lucy
    luis luisa luke luz lydia lynn mabel maddy madeline madison magali magalie magaly magda
    magdalena maite malcolm manny manoucheka manuel manuela mara marc marcel marcela marcelo
    marcia marco marcos marcus margaret margarita margot mari maria mariah mariana mariano
    maribel maricela marie mariela marilyn marina mario marisa marisol maritza marjorie markus
    marlene marlon marta martha martin martina martine marvin mary maryse mateo mathieu matilde
    matthew maude maureen maurice mauricio max maxime maxine mayra megan melanie melba melinda
    melissa melody mercedes mercy merline mervin mia micaela michael michel michele michelle
    mickey miguel mike milagros mildred mimose mireille mireya miriam mirlande mirta misael
    mitchell moises monica monique morgan myriam myrlande myrtha nadege nadia nadine nahomie
    nancy naomi narciso natalia natalie natasha nathalie nathan nathaniel neil nelly nelson
    nestor nicholas nick nicolas nicole nina noah noel noemi nora norberto norma norman octavio
    odalys odette ofelia olga oliver olivia omar orlando oscar osvaldo oswaldo pablo paloma
    pamela paola patrice patricia patrick paul paula paulette paulina pauline paulo pedro peggy
    penelope perla peter phil philip philippe phillip phyllis pierre pierrette pilar placide pol
    pye pyer rachel rachelle rafael rafaela ralph ramiro ramon ramona randall randy raquel raul
    ray raymond raymonde rebeca rebecca regina reginald regine reinaldo rene renee reynaldo
    rhonda ricardo richard rick ricky rigoberto rita robert roberta roberto robin rochelle rocio
    roderick rodney rodolfo rodrigo rodrigue rogelio roger roland rolando romain roman ron
    ronald ronaldo ronny roosevelt rosa rosalia rosalind rosario rosaura rose-marie roseline
    rosemarie rosemary rosemene rosie ross roxana roxanne roy ruben rudy rufino russell ruth
    ryan sabine sabrina sally salomon salvador sam samantha samuel sandra sandy santiago santos
    sara sarah saul scott sean sebastian selena serge sergio seth shane shannon sharon shaun
    shawn sheila shelly sherry shirley sidney silvia simon simone sofia solange sonia sophia
    sophie stacey stacy stanley stella stephane stephanie stephen steve steven stuart susan
    susana suzanne suzette sylvia sylvie tamara tamika tania tanisha tanya tara tatiana taylor
    ted teodoro teresa terrence terry thelma theodore theresa thierry thomas tiffany tim timothy
    tina todd tom tomas tommy toni tony tracy travis trevor tyler tyrone ulises valentin
    valentina valeria valerie vanessa vaughn velma vera vernon veronica vicente vicky victor
    victoria vidal vilma vincent violeta virginia virginie vivian viviana vladimir wadner walter
    wanda wayne wendy wesley widline wilber wilfredo wilfrid wilhelmina william willie wilma
    wilna wilner wilson winston wislande wobe woben wozlin xavier xiomara yadira yahaira yamila
    yanet yaneth yanick yasmin yesenia yolanda yolette yordanka yuliana yves yvette yvonne
    zachary zaida zenaida zoe zoila zulma
    """
)
"""Given names common in the county: with one of them a weak form announces a name too."""

NAMES_TOO = listed(
    "will luz june april may august long lane day young park rich art bill grace hope king hall"
    " guy mark sunny west north light santa santo santos valle rivers"
)
"""Common words that are names as well."""

THINGS_WITH_NAMES = listed(
    """
    avenida avenue barrio brand bridge building bus business calle canal cat church city
    community company complex condo court dog edificio escuela file gato lane lari legliz lekol
    location lugar negocio neighborhood park parque perro pet place product restaurant ri road
    school screen shop stop store street subdivision tienda user
    """
)
"""What has a name without being a person."""

STREET_TYPES = listed(
    """
    apartamento apartment apt apto av ave avenida avenue bldg blvd boulevard building calle
    carretera cir circle corner court ct dr drive esquina highway hwy intersection kwen lane ln
    loop parkway path pkwy pl place rd ri road st ste street suite ter terr terrace trail unit
    way
    """
)

DIRECTIONS = listed("n s e w ne nw se sw n.w s.w n.e s.e north south east west norte sur oeste")

CITY_WORDS = listed(
    """
    apartamento apartment apt apto aventura bay beach bldg building coral cutler dade doral fl
    fla florida gables gardens goulds hialeah homestead isles kendall lakes leisure locka medley
    miami miami-dade naranja north opa opa-locka palmetto perrine pinecrest south springs ste
    suite sunny sweetwater unit west zip
    """
)
"""What may follow a comma within an address."""

ARTICLES = listed("the a an this that same my our la el esta una mi un dead main next another")

ADDRESS_ENDS = listed(
    """
    across also and are because been behind between but call can cerca con could cuando depi
    desde donde email entre epi every favor for frente from gen had has have hay he i i'm if im
    is it it's kote le me men mi mwen my name near necesito need needs nombre nou our paske pero
    phone please por porque que quiero she since so tanpri tel tengo that there there's theres
    these they those was we when where which while who with would y ya yo you your
    """
)
"""Words that no address contains, so that it ends before them."""
