//! For a first pass in frames: after an error the next frames are left for later, ever more of them, until one is read.

/// Most frames left out at once: a damaged surface of many GiB is crossed in steps, none of which misses much.
const MOST: u64 = 256;

/// Decides which frames of a first pass are left for later.
#[derive(Debug, Clone, Default)]
pub struct Skipper {
    until: u64,
    next: u64,
}

impl Skipper {
    pub fn new() -> Self {
        Self { until: 0, next: 1 }
    }

    /// Whether a frame is left for later.
    pub fn skips(&self, frame: u64) -> bool {
        frame < self.until
    }

    /// A frame could not be read: the next are left out, twice as many as the last time.
    pub fn bad(&mut self, frame: u64) {
        if frame >= self.until {
            self.until = frame + 1 + self.next;
            self.next = (self.next * 2).min(MOST);
        }
    }

    /// A frame was read: the next error is a new place.
    pub fn good(&mut self, frame: u64) {
        if frame >= self.until {
            self.next = 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_double_and_begin_again_behind_a_good_frame() {
        let mut skipper = Skipper::new();
        let mut tried = Vec::new();
        for frame in 0..40 {
            if !skipper.skips(frame) {
                tried.push(frame);
                if (10..30).contains(&frame) { skipper.bad(frame) } else { skipper.good(frame) }
            }
        }
        assert_eq!(tried[..10], (0..10).collect::<Vec<u64>>()[..]);
        // 10 fails, 11 is left out; 12 fails, 13 and 14; 15 fails, 16 to 19; 20 fails, 21 to 28; 29 fails, the next 16.
        assert_eq!(tried[10..], [10, 12, 15, 20, 29]);
        let mut fresh = Skipper::new();
        fresh.bad(3);
        fresh.good(5);
        fresh.bad(6);
        assert!(fresh.skips(7) && !fresh.skips(8));
    }
}
