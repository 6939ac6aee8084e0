/** Says how many customers the shop has, and how long a test waits for what takes longer with more of them. */

/** Customers of the month: `KEYTURN_MONTH_USERS`. */
export const CUSTOMERS = Number(process.env.KEYTURN_MONTH_USERS ?? 100)
/** Customers for whom the limits without more are enough. */
const FEW = 200
/** What each further one may take on a busy machine. */
const EACH_MS = 600

/** Returns a limit for a small month, and more for a large one. @param ms - Milliseconds for few customers. */
export function limitFor(ms: number): number {
  return ms + Math.max(0, CUSTOMERS - FEW) * EACH_MS
}
