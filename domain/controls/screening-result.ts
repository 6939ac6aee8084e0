/** The answer of a screening service about a deposit, a destination or a recipient. */

/** Answer of a screening service. `review` means that a person must examine the case first. */
export interface ScreeningResult {
  readonly result: 'approved' | 'rejected' | 'review'
  /** Reason for people. `null` if the service gave none. */
  readonly reason: string | null
  /** The service's own id of the case. `null` if it gave none. */
  readonly reference: string | null
}
