// The words of codes, as in `spec/words.txt`; a test compares.

export const WORDS = `
ability absence academy accent access account accuracy achieve acorn across active activity actor actress actual add address admire adult
advanced advise afford agent agree airline airmail airplane airport alarm album allow almanac almond almost alone alphabet already also
always amazing amber ambition amount amplify amuse analog anatomy anchor ancient angel animal ankle announce another answer antelope antenna
anthill antique anvil anybody anyone anything anywhere appear appetite applause apply appoint approach approve apricot apron aquarium arcade
arch arctic arena argue armchair arrange array arrive article artist artwork aside assemble assist athlete atlas attach attempt attend attic
attract audience aunt author autumn average aviation avoid awake award away awesome axe baby backbone backpack backyard badger bagel baggage
bakery balance balcony ball ballad balloon bamboo banana banjo bank banner barbecue barber barley barn barrel baseball basement basil basket
bat bathrobe bathroom bathtub battery beacon beak beaver bedroom bedtime bee beetle begin behave behind believe belong beloved below bench
beneath benefit beside beyond bicycle big biology bird birthday biscuit bison black blanket blaze blend blink blog blossom bluebell board
bolt bone bonfire bookcase bookmark border borrow botany bottle bottom boulder bounce bouquet boutique bowling boxing bracelet bracket braid
branch brave bravery breathe breeze brief bright bring broad broccoli brochure bronze brooch brook brother brown brownie browser brush
bubble bucket buckle budget buffalo buffet builder building bulb bun bungalow burger business busy butcher butter button cabbage cabin
cabinet cable cactus cadet cafe calendar calf camel camera camping canal canary candle candy canoe canteen canvas canyon capable capacity
capital captain caption capture caramel caravan carbon card cardigan career careful cargo carnival carpet carriage carry cartoon cascade
cashew cashier castle casual category cause cedar ceiling celery cellular central century ceramic ceremony chain champ champion chance
channel chapel chapter charcoal charge charming chart chase cheap cheek cheerful cheese cheetah chemical chemist cherish cherry chess
chestnut chew chicken chief child chimney chip chisel choice choir choose chorus chrome chunk church cinema cinnamon circle circuit circus
citizen citrus city civic claim clarinet class classic clay clean clearing clerk clever client cliff climate climbing cloak closet closure
cloth cloud clown club cluster coach coat cobalt cobweb cockpit cocoa coconut code coffee coin cold collar collect college colorful column
comb combine comet comfort comic command comment commerce common compact company compare compass compile complete complex composer compound
computer concept concrete confirm congress connect conserve consider console constant consult contact contain contest continue contrast
control convert cookbook cookie copilot copper copy coral corner correct corridor cosmos costume cottage cotton count country coupon courage
courtesy cousin cover cow cowboy crab cradle craft crane crater crawl crayon cream create creative creature credit crest cricket crimson
crispy critic crowd crystal cube cucumber cuddle cup cupboard cupcake curious curl current curtain curve cushion custom cycling cyclone
cylinder daffodil daisy damp dancer date daylight daytime dazzle deadline dealer debate decade decimal decision decorate deer defend defense
degree delicate delight deliver delta demand denim dentist describe deserve design desk desktop destiny detail detect develop device diagram
dialect diameter diamond diary dice diesel diet digit digital dinner diploma direct director disc discount discover discuss display distance
distant distinct district divide diving doctor dog doll dolphin domino donkey door doorbell doormat doorway double dove download downtown
dozen dragon drama drawer drawing dress drift drill drink drive drummer dry duck duckling dune duration dynamic eager eagle early earring
earth easel easy echo eclipse ecology economy edition editor educate educator effort eggplant eggshell elastic elbow election electric
elegant element elephant elevate elevator eleven elf email embassy emblem embrace emerald emerge emotion emperor empire employer empty
enable energy engage engine engineer enjoy enormous enough enrich ensemble ensure enter entire entrance entry episode equal equation eraser
essence estimate evening event everyone evidence exact examine example excel exchange exciting exercise exhibit exist exotic expect explain
explore export exposure express extend extra extract eyebrow fabric fabulous face factory faculty fairy faith faithful falcon familiar
family famous fan fancy fantasy farewell farmer fashion fasten feather feature feedback feeling fence fertile festival festive fetch fiction
field fifteen fifty figure film filter finally finance finish firefly firewood first fishing fit fitness flag flamingo flannel flash fleet
flexible flicker flight float flock floor floral florist flourish flow fluffy fluid flute flyer foam focus folder folklore fondue foot
football footpath footstep force forecast forehead forest forever forgive fork format formula fortress fortune forty forum forward fossil
founder four fourteen fox fraction fragile fragrant frame freckle free freedom freeway freezer frequent fresh fridge friendly frisbee frog
frosty frozen fruit fuel function funny fusion future gadget galaxy gallery gallop game garage gardener garland garlic garment gather
gazelle gem general generous genre gentle genuine geology geometry gesture giant gift giggle ginger giraffe girl give glacier glad glance
glasses gleam glider glimpse glitter globe glorious glossary glue goal goblet golden goldfish gondola good goodness goose gorilla govern
grace gradual graduate grain grand grandma graph graphic grass grateful gravity green greenery grid grocery groom groove ground group grow
growth guard guess guidance guide guitar gymnast habit habitat hallway halo hammer hammock hamster hand handbag handbook handful handsome
happen happy harmless harmony harness harp harvest hawk haystack hazel hazelnut head headband healthy heart heater heavy hedge hedgehog
height helmet help herb herring hexagon hide highway hiking hill hilltop hippo historic history hobby hockey holiday hollow home homeland
homework honest honey hook hooray hopeful horizon horn horse hospital hot hotel huge human hundred hungry hunter hurry hydrogen iceberg
icicle icon idea identify igloo image imagine impact import impress improve inch include income increase index indigo indoor industry
infinity initial innocent input inside insight inspect inspire install instant instead intend interest internal internet intro invent
inventor invite island item ivory ivy jacket jade jaguar jar jasmine jazz jeans jelly jewel jigsaw joint joke journal journey joyful jubilee
judge judo juggler juice jukebox jumbo jumping jungle junior jury just justice justify kangaroo karaoke karate kayak keep ketchup kettle key
keyboard keyhole kick kind kindness kingdom kiosk kiss kitchen kite kitten kiwi knapsack knife knit koala label ladder ladybug lagoon lamb
landlord landmark language lantern laptop large lasagna last laugh launch lava lavender lawn lawyer layout lazy leader league learner
lecture left leg legal legend leisure lemon lemonade length lens leopard letter lettuce level liberty library lid lifeboat lifetime lighter
likely lily lime limit linen lion liquid listener literary little lizard loaf lobster locate locker logic logo lollipop loop lottery lotus
lounge lovely lucky luggage lullaby luminous lunar luxury machine magazine magic magician magnet magpie mailbox maintain major make mammal
manager mandarin mango mansion manual many map maple marathon marble margin marina market mask massive master material mattress mature
maximum meadow meal measure mechanic media medicine medium melody melon melt memory mental mention menu merchant mercury merit mermaid merry
message meteor method metro midnight mighty million mineral mint minus minute miracle mirror mission mix model moderate modern moisture
moment monitor month monument moon mosaic mosque moss mother motive motto mountain mouse movement movie mud muesli muffin mulberry multiply
museum mushroom music musical musician mustang mustard mutual mystery myth napkin narrow nation national native natural navigate nearby neck
necklace needle neon nephew network newborn news next nibble nickel niece nine ninety noble nobody nomad noodle normal north northern nose
notebook notepad nothing notice novel nozzle nugget number nurse nursery nut nutmeg oak oasis oatmeal obey object observe obvious ocean
octopus offer officer official often olive olympic onion only onward opera operate opinion optimist option oracle orange orbit orchard
orchid ordinary organ origami origin original ornament ostrich otter outdoors outfit outline output outside oval oven overall owl oxygen
oyster pack package page pagoda painting palace palm pancake panda panel panorama panther papaya paper parade paradise parallel parcel
parent parlor parrot parsley partner party pass passage passion passport pasta pastime pastry pasture path patient patio patrol pattern
pavilion paw peaceful peacock peanut pearl pebble pencil pendulum penguin penny pension people pepper percent perfect perform perfume period
person personal pharmacy phoenix phone photo phrase physical physics pianist piano picnic picture pigeon pilgrim pillar pinecone pink
pinwheel pioneer pipe pirate pitcher pivot pixel pizza plaid plan planet plaster plate platform playful plaza pleasant pleasure plenty plot
plum plumber pocket poem poetry polar policy polite pollen poncho pony popcorn popular porch portable portion portrait position possible
postcard poster potato poultry pound powder powerful prairie precious precise prefer prepare present pretend pretty pretzel price primary
princess printer prism privacy private process producer profile progress promise promote proper prophet protect protein protocol prove
public publish pudding pull pump pumpkin pupil puppet puppy purchase purple push puzzle pyramid python quail quality quantity quarter quartz
queen quest question quick quiet quiz quote rabbit raccoon racecar radar radiant radiator radio radish radius railroad railway rainbow
raincoat raindrop raisin random ranger ranking rapid rare rattle raven reach ready receipt receiver recent recipe recital recorder recover
recruit recycle redwood referee refine reflect reform refresh region register regular regulate rehearse reindeer relative relax release
reliable remain remark remember remind remove renew repair repeat replace reply reporter reptile republic request rescue research resident
resolve resource respond response result retrieve return reunion reveal reverse review reward rhino rhyme rhythm ribbon rich riddle ripple
river roadside roast robin robot rock rodeo romance romantic roof rooftop rooster rope rosemary routine rowing royal rubber rudder rugby
ruler running runway rural saddle sailboat sailing sailor salad salary salmon salt salute sandal sandwich sapphire sardine saucepan saucer
sauna sausage save scanner scarf scarlet scenery scenic schedule scholar school science scissors scoop score scout scrap screen screw script
scuba seafood seagull seahorse search seashell seaside season seaweed second section sector secure seedling seesaw segment select selfie
semester sense sentence separate series serious serve service session setting settler seven seventy shadow shampoo shape sheet shelf shelter
shepherd shield shine shoelace shop shortcut shorts shoulder shovel showcase shower shrimp shrub shuffle shuttle sidewalk signal silence
silent silk silly silver similar simple sincere single siren sister sixteen sixty size skate skeleton sketch skill skirt sky skyline sled
sleepy sleeve slender slide slipper slope small smart smile smooth smoothie snack snail snake snapshot sneeze snorkel snowball snowman snowy
soccer social society sofa software soil soldier solid solve sonar song soup source south southern souvenir space spark sparrow speaker
special spectrum speech spell spend sphere spider spin spinach spiral spirit splash sponge spoon sport spotless spread sprinkle sprint
sprout square squash squeeze squid squirrel stadium stage stairs stamina stand standard staple starfish startup static station statue stay
steady stew sticker stir stock stomach stool storage storm stove strategy straw stream street strength stretch strict stripe stroll strong
student studio study stylish subject submit subtitle subway succeed success sudden sugar suggest suit suitable suitcase summary summer
sunbeam sundial sunhat sunlight sunrise sunset sunshine superb supply support suppose supreme sure surface surfer surfing surgeon surprise
survey sushi sustain swallow swamp swan sweater swift swimming swing switch syllable symmetry symphony synonym syrup system tablet talent
tapestry target taste tavern taxi teacher teacup teamwork teapot teaspoon teddy template temple tennis tent terminal textbook thank thankful
theme theory therapy third thirsty thirteen thought thousand thread three thrill thumb thunder ticket tickle tidal tidy tie tiger timber
tiptoe tissue titan title toaster today together toilet tomato tomorrow tongue tonight toolbox tooth topic tornado tortilla tortoise total
totem touch tourist toward tower town toy tracker tractor traffic trail trainer tram transfer transmit travel treasure treat triangle
tricycle trip triple triumph trombone trophy tropical trough trousers true trumpet trunk trust truth tulip tuna tunnel turkey turn turnip
turtle tutor tutorial twelve twenty twilight twinkle twist type typical umbrella uncle uncover under unfold unicorn uniform unique unite
universe unknown unlock unpack unusual update upgrade upload upper upright upstairs upward urban use useful vacation vacuum valid valley
valuable valve vanilla vanish variable variety vehicle velocity velvet venue verse version vertical vest vibrant victory video villa village
vinegar vineyard vintage violet violin vision visit visitor visual vitamin vivid vocal voice volcano volume vote voyage waffle wagon
waitress walk walkway wallet walnut walrus waltz wander want wardrobe warm warrior wash watch water waterway weave webpage website wedding
weekday weekend welcome western whale wheat wheel whisk whisper whistle white widget width wild wildcat wildlife willing willow win windmill
window windy winter wire wisdom wolf wooden woodland wool workbook workout workshop world wreath wrench wrist writer yacht year yeast yell
yellow young yoyo zebra zero zigzag zinc zipper zodiac zoo zoology
`.trim().split(/\s+/);
