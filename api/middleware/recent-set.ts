/** Remembers the texts that were added most recently. */

/** A set of limited size that forgets its oldest texts. */
export class RecentSet {
  readonly #texts = new Set<string>()
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  has(text: string): boolean {
    return this.#texts.has(text)
  }

  /** Adds a text, or makes it the newest one again. */
  add(text: string): void {
    this.#texts.delete(text)
    this.#texts.add(text)
    for (const oldest of this.#texts) {
      if (this.#texts.size <= this.#most) break
      this.#texts.delete(oldest)
    }
  }

  delete(text: string): void {
    this.#texts.delete(text)
  }
}
