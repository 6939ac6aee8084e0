/**
 * Error of a journal or witness that cannot be relied on. The process must end before it signs or answers.
 */
export class JournalFailure extends Error {
  override readonly name = 'JournalFailure'
}
