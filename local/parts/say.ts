/** How the local stack shows what it does. */

/** Shows a line to the person at the terminal. */
export type Say = (line: string) => void
