//! Mutations of a corpus, the same for the same seed.

/// Makes inputs.
pub(super) struct Mutator<'a> {
    state: u64,
    corpus: &'a [Vec<u8>],
    dictionary: &'a [&'a [u8]],
}

impl<'a> Mutator<'a> {
    pub(super) fn new(seed: u64, corpus: &'a [Vec<u8>], dictionary: &'a [&'a [u8]]) -> Self {
        // The generator never leaves 0.
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, corpus, dictionary }
    }

    /// A number below `bound`, which is above 0 (xorshift64*).
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let random = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        usize::try_from(random).unwrap() % bound
    }

    fn any(&mut self) -> &'a [u8] {
        let corpus = self.corpus;
        &corpus[self.below(corpus.len())]
    }

    /// The beginning and the end of a part of `length` bytes.
    fn part(&mut self, length: usize) -> (usize, usize) {
        let (a, b) = (self.below(length + 1), self.below(length + 1));
        (a.min(b), a.max(b))
    }

    /// An input of at most `most` bytes.
    pub(super) fn next(&mut self, most: usize) -> Vec<u8> {
        let mut input = self.any().to_vec();
        for _ in 0..=self.below(6) {
            self.change(&mut input);
        }
        input.truncate(most);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        match self.below(9) {
            // Flip a bit, set a byte, put one in.
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = u8::try_from(self.below(256)).unwrap(),
            2 => input.insert(at, u8::try_from(self.below(256)).unwrap()),
            // Cut out, cut off.
            3 => {
                let (from, to) = self.part(input.len());
                input.drain(from..to);
            }
            4 => input.truncate(at),
            // Say a part again, up to many times.
            5 => {
                let (from, to) = self.part(input.len().min(256));
                let part = input[from..to].repeat(1 + self.below(8));
                input.splice(at..at, part);
            }
            // A word of the target's.
            6 | 7 if !self.dictionary.is_empty() => {
                let word = self.dictionary[self.below(self.dictionary.len())];
                let to = if self.below(2) == 0 { at } else { (at + word.len()).min(input.len()) };
                input.splice(at..to, word.iter().copied());
            }
            // A part of another input.
            _ => {
                let other = self.any();
                let (from, to) = self.part(other.len());
                input.splice(at..at, other[from..to].iter().copied());
            }
        }
    }
}

#[test]
fn the_same_seed_makes_the_same_inputs_and_another_seed_others() {
    let corpus = [b"one".to_vec(), b"two three".to_vec()];
    let made = |seed| {
        let mut mutator = Mutator::new(seed, &corpus, &[b"word"]);
        (0..100).map(|_| mutator.next(64)).collect::<Vec<_>>()
    };
    assert_eq!(made(1), made(1));
    assert_ne!(made(1), made(2));
    assert!(made(3).iter().any(|input| !corpus.contains(input)));
}
