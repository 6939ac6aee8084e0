/** Takes a witness that has pruned what it is asked for, or is away, as one that says nothing. */

import { AuditFailure } from './audit-failure.js'

/** Returns the answer. `null` when the witness cannot give one. @throws Errors that are no audit failures. */
export async function unlessSilent<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof AuditFailure) return null
    throw error
  }
}
