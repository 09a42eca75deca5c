package simulation

// Haste is how many times faster than the real one the DNS of a rehearsal is: a minute takes a quarter of a second. What it says
// of times, such as TTLs, is what the real one says.
const Haste = 240
