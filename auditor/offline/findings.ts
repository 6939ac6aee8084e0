/** Collects what an offline audit checked, what it found, and what it could not check. */

export type Verdict =
  | { readonly check: string; readonly kind: 'holds'; readonly what: string }
  /** A fault, named as exactly as the files allow: file and line, or network, address and coin. */
  | { readonly check: string; readonly kind: 'fault'; readonly what: string }
  /** What could not be checked, or, as a `note`, was not asked for. */
  | { readonly check: string; readonly kind: 'unchecked'; readonly what: string; readonly note?: true }

/** Faults of a check that are named. Others are counted. */
const MOST = 20

export class Findings {
  readonly verdicts: Verdict[] = []
  readonly #faults = new Map<string, number>()

  holds(check: string, what: string): void {
    this.verdicts.push({ check, kind: 'holds', what })
  }

  fault(check: string, what: string): void {
    const count = (this.#faults.get(check) ?? 0) + 1
    this.#faults.set(check, count)
    if (count <= MOST) this.verdicts.push({ check, kind: 'fault', what })
  }

  unchecked(check: string, what: string): void {
    this.verdicts.push({ check, kind: 'unchecked', what })
  }

  /** Says what was not checked because it was not asked for. It does not change the exit code. */
  note(check: string, what: string): void {
    this.verdicts.push({ check, kind: 'unchecked', what, note: true })
  }

  /** Returns the number of faults, of one check or of all. */
  faults(check?: string): number {
    if (check !== undefined) return this.#faults.get(check) ?? 0
    return [...this.#faults.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Returns the exit code: 1 for a fault, 3 where something could not be checked, else 0. */
  exitCode(): 0 | 1 | 3 {
    if (this.faults() > 0) return 1
    return this.verdicts.some((verdict) => verdict.kind === 'unchecked' && !verdict.note) ? 3 : 0
  }
}
