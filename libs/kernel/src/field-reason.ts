/** Why a field is refused: UPPER_SNAKE, stable, the same words in every service (docs/errors.md). */
export type FieldReason =
  /** Missing or empty. */
  | 'REQUIRED'
  /** Not of the form that the description tells: an id, a hash, a name, a text with control characters. */
  | 'MALFORMED'
  /** Text beyond its length; elements beyond their number. */
  | 'TOO_LONG'
  | 'TOO_MANY'
  /** A number or a time beyond its bounds. */
  | 'OUT_OF_RANGE'
  /** None of the known values: of an enum, of a list of names, of the paths of a mask. */
  | 'UNKNOWN_VALUE'
  /** Named before in the same request. */
  | 'DUPLICATE'
  /** Belongs to the platform. */
  | 'RESERVED'
  /** Sound, but not offered yet. */
  | 'NOT_SUPPORTED'
  /** Contradicts another field of the request, or what the object is. */
  | 'CONFLICT'
  /** Not made by whom it must come from, over this very content. */
  | 'SIGNATURE_INVALID'
  /** Not issued by this service for this very list. */
  | 'PAGE_TOKEN_INVALID'
  /** JSON of another type than the field, or a number that JSON cannot hold exactly. */
  | 'WRONG_TYPE'
  | 'NOT_EXACT'
  /** JSON nested beyond reason. */
  | 'TOO_DEEP'
  /** JSON or a query that names no field. */
  | 'UNKNOWN_FIELD';
