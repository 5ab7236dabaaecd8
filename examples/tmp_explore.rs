use oncelab::explore::*;
use oncelab::strategy::Registry;
fn main() {
    let a: Vec<u8> = std::env::args().skip(1).filter_map(|x| x.parse().ok()).collect();
    let only = std::env::args().nth(5);
    for s in Registry::default().iter() {
        if only.as_ref().is_some_and(|o| o != s.name()) { continue; }
        let mut b = Bound::new(a[0], a[1], a[2]);
        if a[3] > 0 { b.kinds = Kinds::all(); }
        let e = Exploration::new(s.as_ref(), b, Limits::default(), &mut ()).unwrap();
        println!("{:30} {:>24} schedules {:>9} states {:>7.1?} complete {} places {}", e.strategy, e.census.schedules, e.census.states, e.elapsed, e.census.complete, e.census.places);
        for m in &e.minimal { println!("     {:10} {:>7.3?} {}  ({:.1}%)", m.violation, m.took, m.schedule, 100.0 * e.census.violations[&m.violation] as f64 / e.census.schedules as f64); }
    }
}
