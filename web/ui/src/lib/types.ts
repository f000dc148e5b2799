/** The shapes of the API that the page uses. */

export interface Account {
  account_id: string;
  email: string;
  name: string;
  is_admin: boolean;
}

export interface Session {
  account: Account;
  csrf_token: string;
}

/** Who has a second factor is asked for it before the session begins. */
export type SignedIn = Session | { second_factor: { challenge: string; expires: string } };

export interface SharingInfo {
  read_only: boolean;
  shared_folder_id?: string;
  parent_shared_folder_id?: string;
}

export interface FileEntry {
  '.tag': 'file';
  id: string;
  name: string;
  path_lower: string;
  path_display: string;
  rev: string;
  size: number;
  client_modified: string;
  server_modified: string;
  content_hash: string;
  sharing_info?: SharingInfo & { modified_by?: string };
}

export interface FolderEntry {
  '.tag': 'folder';
  id: string;
  name: string;
  path_lower: string;
  path_display: string;
  sharing_info?: SharingInfo;
}

export interface DeletedEntry {
  '.tag': 'deleted';
  name: string;
  path_lower: string;
  path_display: string;
}

export interface Versions {
  is_deleted: boolean;
  entries: FileEntry[];
  has_more: boolean;
}

/** Something in the trash: what was deleted itself, not what lay in it. */
export interface TrashEntry {
  id: string;
  name: string;
  path_display: string;
  path_lower: string;
  is_folder: boolean;
  size: number | null;
  deleted: string;
  may_restore: boolean;
}

export interface Trash {
  entries: TrashEntry[];
  has_more: boolean;
}

/** What may be typed in a search; `kind` says what its values are. */
export interface Operators {
  operators: { name: string; about: string; kind: string; values: string[]; only_these: boolean }[];
  people: { email: string; name: string }[];
}

/** What a query may go on to be. */
export interface Suggestions {
  words: { query: string; files: number }[];
}

/** A search as its address has it: `q=…&type=pdf`. */
export interface KeptSearches {
  saved: { id: string; name: string; search: string }[];
  recent: { search: string }[];
}

export type Entry = FileEntry | FolderEntry;
export type AnyEntry = Entry | DeletedEntry;

export interface Listing {
  entries: AnyEntry[];
  cursor: string;
  has_more: boolean;
}

/** `[start, end)` in Unicode code points. */
export type Span = [number, number];

/** What lies inside a file and is found by itself: a message of a mailbox, an attachment, a file of an archive. */
export interface MemberHit {
  /** Its address inside the file. */
  path: string;
  name: string;
  kind: 'message' | 'attachment' | 'member';
  size: number | null;
  modified: string | null;
  from: string | null;
  sent: string | null;
}

export interface Hit {
  metadata: Entry;
  /** Set when the hit is inside the file. */
  member?: MemberHit;
  /** Set when an old version of the file has what was searched for: metadata and snippet are that version's. */
  version?: { rev: string; stored: string };
  /** Set when it is deleted: since when. Several of one path may be. */
  deleted?: string;
  snippet: { text: string; highlights: Span[] };
  name_highlights: Span[];
  /** Where the snippet's first match is: in the extracted text, in characters, and in a document's pages. */
  spot?: { range?: Span; page?: number; slide?: number; sheet?: number; label?: string };
  match: 'filename' | 'content' | 'both';
}

export interface FacetCount {
  value: string;
  count: number;
}

export interface Facets {
  type: FacetCount[];
  extension: FacetCount[];
  modified: FacetCount[];
  /** By the folder that a file lies in. */
  folder?: FacetCount[];
  /** By the owner of the shared folder that a file lies in. */
  owner?: FacetCount[];
}

export interface SearchPage {
  hits: Hit[];
  facets?: Facets;
  total: number;
  /** There may be more than `total`. */
  total_estimated?: boolean;
  /** The query with its typos mended, when that is what was found. */
  did_you_mean?: string | null;
  took_ms: number;
  partial: boolean;
  /** Of all files that the caller can search, how many are found by their words. */
  coverage?: { searchable: number; files: number } | null;
  has_more: boolean;
  cursor: string | null;
  warnings: string[];
}

export type SearchOrder = 'relevance' | 'last_modified_time' | 'name' | 'size';

export interface SearchOptions {
  path?: string;
  max_results?: number;
  order_by?: SearchOrder;
  file_status?: 'active' | 'deleted';
  /** Whether hits are counted; a list counts by these too. */
  facets?: boolean | string[];
  as_you_type?: boolean;
}

export type Outcome =
  | 'text'
  | 'nothing_to_extract'
  | 'encrypted'
  | 'unsupported'
  | 'timed_out'
  | 'too_large'
  | 'needs_ocr'
  | 'damaged'
  | 'waiting';

export interface FileIndexStatus {
  state: 'waiting' | 'indexed';
  outcome: Outcome;
  detail?: string;
  indexed_bytes?: number;
  words?: number;
  pages?: number;
}

/** Over all that the caller can see; what the server did not count is absent. */
export interface IndexStatus {
  waiting: number;
  searchable?: number;
  files?: number;
}

export interface ExtractedText {
  text: string;
  total_chars: number;
  outcome: Outcome;
}

/** What an account's files take, bytes; trash and versions are up to a minute old. */
export interface Space {
  used: number;
  allocated: number | null;
  trash: { entries: number; bytes: number };
  versions: { count: number; bytes: number };
  /** How long trash and versions are kept. */
  retention_days: number;
  is_complete: boolean;
}

/** When a file was last read and found good, and on how many disks it is. */
export interface Verified {
  verified_at: string | null;
  copies: number;
  wanted_copies: number;
}

/** What going back to a moment does, in files and folders. */
export interface RewindCounts {
  examined: number;
  revived: number;
  moved: number;
  restored: number;
  removed: number;
  unchanged: number;
  kept: number;
  failed: number;
}

/** A folder on its way back to a moment, or there. */
export interface Rewind {
  rewind_id: string;
  path: string;
  to: string;
  began: string;
  ended: string | null;
  undoes: string | null;
  state: 'running' | 'done' | 'failed';
  error: string | null;
  counts: RewindCounts;
}

export type AccessLevel = 'owner' | 'editor' | 'viewer' | 'viewer_no_comment' | 'traverse';

export interface FolderMember {
  access_type: { '.tag': AccessLevel };
  user: { account_id: string; email: string; display_name: string };
}

export interface InvitedMember {
  access_type: { '.tag': AccessLevel };
  invitee: { '.tag': string; email?: string };
}

/** A group that a folder is shared with. */
export interface GroupMember {
  access_type: { '.tag': AccessLevel };
  group: { group_id: string; group_name: string; member_count: number; is_member: boolean };
}

export interface Members {
  users: FolderMember[];
  groups: GroupMember[];
  invitees: InvitedMember[];
  cursor?: string;
}

export interface SharedFolder {
  shared_folder_id: string;
  name: string;
  path_lower?: string;
  path_display?: string;
  access_type: { '.tag': AccessLevel };
}

export interface SharedLink {
  '.tag': 'file' | 'folder';
  url: string;
  name: string;
  path_lower?: string;
  expires?: string;
  link_permissions?: { require_password?: boolean; allow_download?: boolean };
}

/** What a shared link asks for; what is absent stays as it is. */
export interface LinkSettings {
  require_password?: boolean;
  link_password?: string;
  expires?: string;
  allow_download?: boolean;
}

/** The answer of a call that may finish later. */
export type Launch<T> = ({ '.tag': 'complete' } & T) | { '.tag': 'async_job_id'; async_job_id: string };

export interface Token {
  id: string;
  name: string;
  kind?: 'bearer' | 'session' | 'refresh';
  created?: string;
  last_used?: string | null;
  current?: boolean;
}

export interface CreatedAccount {
  account_id: string;
  token: string;
  invite_url: string;
}
