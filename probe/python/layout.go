package python

// A layout holds the byte offsets (and some sizes) of CPython's structs in one version, x86-64 and arm64 Linux, release build.
// The dwarf tags name where each comes from: struct.member, alternatives separated by '|' in order of preference; "sizeof:T" is a
// size, "bit:T.m" a member's first bit counted from the start of the struct. none means that the version has no such member.
// layout_table.go is generated from the DWARF of real builds by TestLayoutTable -update.
type layout struct {
	// struct pyruntimestate
	RuntimeInitialized int32 `dwarf:"pyruntimestate.initialized"`
	RuntimeFinalizing  int32 `dwarf:"pyruntimestate._finalizing"`
	RuntimeHead        int32 `dwarf:"pyruntimestate.interpreters.head"`
	RuntimeMain        int32 `dwarf:"pyruntimestate.interpreters.main"`
	RuntimeMainThread  int32 `dwarf:"pyruntimestate.main_thread"`
	RuntimeGIL         int32 `dwarf:"pyruntimestate.ceval.gil"` // the struct itself, to 3.11
	RuntimeSize        int32 `dwarf:"sizeof:pyruntimestate"`

	// PyInterpreterState
	InterpNext        int32 `dwarf:"_is.next"`
	InterpID          int32 `dwarf:"_is.id"`
	InterpRuntime     int32 `dwarf:"_is.runtime"`
	InterpThreads     int32 `dwarf:"_is.threads.head|_is.tstate_head"`
	InterpModules     int32 `dwarf:"_is.imports.modules|_is.modules"`
	InterpSysDict     int32 `dwarf:"_is.sysdict"`
	InterpGIL         int32 `dwarf:"_is.ceval.gil"` // a pointer, from 3.12
	InterpFinalizing  int32 `dwarf:"_is._finalizing"`
	InterpFinalizing0 int32 `dwarf:"_is.finalizing"` // int flag

	// struct _gil_runtime_state
	GILHolder   int32 `dwarf:"_gil_runtime_state.last_holder"`
	GILLocked   int32 `dwarf:"_gil_runtime_state.locked"`
	GILSwitches int32 `dwarf:"_gil_runtime_state.switch_number"`
	GILCond     int32 `dwarf:"_gil_runtime_state.cond"`
	GILMutex    int32 `dwarf:"_gil_runtime_state.mutex"`
	GILSwitch   int32 `dwarf:"_gil_runtime_state.switch_cond"`
	GILSize     int32 `dwarf:"sizeof:_gil_runtime_state"`

	// PyThreadState
	ThreadPrev     int32 `dwarf:"_ts.prev"`
	ThreadNext     int32 `dwarf:"_ts.next"`
	ThreadInterp   int32 `dwarf:"_ts.interp"`
	ThreadFrame    int32 `dwarf:"_ts.current_frame|_ts.frame"`
	ThreadCFrame   int32 `dwarf:"_ts.cframe"`
	CFrameFrame    int32 `dwarf:"_PyCFrame.current_frame"`
	ThreadIdent    int32 `dwarf:"_ts.thread_id"`
	ThreadNativeID int32 `dwarf:"_ts.native_thread_id"`
	ThreadID       int32 `dwarf:"_ts.id"`
	ThreadState    int32 `dwarf:"_ts.state"`

	// PyFrameObject to 3.10, _PyInterpreterFrame from 3.11
	FrameBack       int32 `dwarf:"_PyInterpreterFrame.previous|_frame.f_back"`
	FrameCode       int32 `dwarf:"_PyInterpreterFrame.f_executable|_PyInterpreterFrame.f_code|_frame.f_code"`
	FrameLasti      int32 `dwarf:"_PyInterpreterFrame.instr_ptr|_PyInterpreterFrame.prev_instr|_frame.f_lasti"`
	FrameLocals     int32 `dwarf:"_PyInterpreterFrame.localsplus|_frame.f_localsplus"`
	FrameStackTop   int32 `dwarf:"_PyInterpreterFrame.stacktop"`     // int: localsplus in use; −1 while it runs (3.11–3.13)
	FrameStackPtr   int32 `dwarf:"_PyInterpreterFrame.stackpointer"` // pointer, NULL while it runs (3.14)
	FrameStackDepth int32 `dwarf:"_frame.f_stackdepth"`              // int, −1 while it runs (3.10)
	FrameStackTop39 int32 `dwarf:"_frame.f_stacktop"`                // pointer, NULL while it runs (3.9)
	FrameValueStack int32 `dwarf:"_frame.f_valuestack"`
	FrameIBlock     int32 `dwarf:"_frame.f_iblock"`
	FrameBlocks     int32 `dwarf:"_frame.f_blockstack"`
	FrameEntry      int32 `dwarf:"_PyInterpreterFrame.is_entry"`
	FrameOwner      int32 `dwarf:"_PyInterpreterFrame.owner"`
	FrameGlobals    int32 `dwarf:"_PyInterpreterFrame.f_globals|_frame.f_globals"`
	FrameTLBC       int32 `dwarf:"_PyInterpreterFrame.tlbc_index"`

	// PyCodeObject
	CodeArgCount   int32 `dwarf:"PyCodeObject.co_argcount"`
	CodeFirstLine  int32 `dwarf:"PyCodeObject.co_firstlineno"`
	CodeStackSize  int32 `dwarf:"PyCodeObject.co_stacksize"`
	CodeNLocals    int32 `dwarf:"PyCodeObject.co_nlocals"`
	CodeNLocalsP   int32 `dwarf:"PyCodeObject.co_nlocalsplus"`
	CodeFilename   int32 `dwarf:"PyCodeObject.co_filename"`
	CodeName       int32 `dwarf:"PyCodeObject.co_name"`
	CodeQualname   int32 `dwarf:"PyCodeObject.co_qualname"`
	CodeLineTable  int32 `dwarf:"PyCodeObject.co_linetable|PyCodeObject.co_lnotab"`
	CodeExcTable   int32 `dwarf:"PyCodeObject.co_exceptiontable"`
	CodeCode       int32 `dwarf:"PyCodeObject.co_code_adaptive|PyCodeObject.co_code"`
	CodeVarNames   int32 `dwarf:"PyCodeObject.co_varnames"`
	CodeCellVars   int32 `dwarf:"PyCodeObject.co_cellvars"`
	CodeFreeVars   int32 `dwarf:"PyCodeObject.co_freevars"`
	CodeLocalNames int32 `dwarf:"PyCodeObject.co_localsplusnames"`
	CodeLocalKinds int32 `dwarf:"PyCodeObject.co_localspluskinds"`

	// Objects
	ObjectType    int32 `dwarf:"_object.ob_type"`
	ObjectSize    int32 `dwarf:"sizeof:_object"`
	VarSize       int32 `dwarf:"PyVarObject.ob_size"`
	TypeName      int32 `dwarf:"_typeobject.tp_name"`
	TypeBasicSize int32 `dwarf:"_typeobject.tp_basicsize"`
	TypeItemSize  int32 `dwarf:"_typeobject.tp_itemsize"`
	TypeFlags     int32 `dwarf:"_typeobject.tp_flags"`
	TypeDictOff   int32 `dwarf:"_typeobject.tp_dictoffset"`
	TypeBase      int32 `dwarf:"_typeobject.tp_base"`
	TypeDict      int32 `dwarf:"_typeobject.tp_dict"`
	TypeMRO       int32 `dwarf:"_typeobject.tp_mro"`
	HeapKeys      int32 `dwarf:"_heaptypeobject.ht_cached_keys"`
	HeapModule    int32 `dwarf:"_heaptypeobject.ht_module"`

	StrLength   int32 `dwarf:"PyASCIIObject.length"`
	StrState    int32 `dwarf:"PyASCIIObject.state"`
	StrKindBit  int32 `dwarf:"bit:PyASCIIObject.state.kind"`
	StrCompact  int32 `dwarf:"bit:PyASCIIObject.state.compact"`
	StrASCIIBit int32 `dwarf:"bit:PyASCIIObject.state.ascii"`
	StrASCII    int32 `dwarf:"sizeof:PyASCIIObject"`
	StrUnicode  int32 `dwarf:"sizeof:PyCompactUnicodeObject"`
	BytesData   int32 `dwarf:"PyBytesObject.ob_sval"`
	IntTag      int32 `dwarf:"_longobject.long_value.lv_tag"` // from 3.12; before, ob_size has sign and digits
	IntDigits   int32 `dwarf:"_longobject.long_value.ob_digit|_longobject.ob_digit"`
	FloatValue  int32 `dwarf:"PyFloatObject.ob_fval"`
	TupleItems  int32 `dwarf:"PyTupleObject.ob_item"`
	ListItems   int32 `dwarf:"PyListObject.ob_item"`
	SetUsed     int32 `dwarf:"PySetObject.used"`
	SetMask     int32 `dwarf:"PySetObject.mask"`
	SetTable    int32 `dwarf:"PySetObject.table"`
	CellRef     int32 `dwarf:"PyCellObject.ob_ref"`

	DictUsed      int32 `dwarf:"PyDictObject.ma_used"`
	DictKeys      int32 `dwarf:"PyDictObject.ma_keys"`
	DictValues    int32 `dwarf:"PyDictObject.ma_values"`
	KeysSize      int32 `dwarf:"_dictkeysobject.dk_size"` // to 3.10
	KeysLog2Size  int32 `dwarf:"_dictkeysobject.dk_log2_size"`
	KeysLog2Bytes int32 `dwarf:"_dictkeysobject.dk_log2_index_bytes"`
	KeysKind      int32 `dwarf:"_dictkeysobject.dk_kind"`
	KeysNEntries  int32 `dwarf:"_dictkeysobject.dk_nentries"`
	KeysIndices   int32 `dwarf:"_dictkeysobject.dk_indices"`
	ValuesItems   int32 `dwarf:"_dictvalues.values"`
	ValuesValid   int32 `dwarf:"_dictvalues.valid"`
	ValuesCap     int32 `dwarf:"_dictvalues.capacity"`

	CFunctionDef   int32 `dwarf:"PyCFunctionObject.m_ml"`
	CFunctionSelf  int32 `dwarf:"PyCFunctionObject.m_self"`
	MethodDefName  int32 `dwarf:"PyMethodDef.ml_name"`
	MethodFunc     int32 `dwarf:"PyMethodObject.im_func"`
	MethodSelf     int32 `dwarf:"PyMethodObject.im_self"`
	FunctionCode   int32 `dwarf:"PyFunctionObject.func_code"`
	FunctionName   int32 `dwarf:"PyFunctionObject.func_name"`
	FunctionQual   int32 `dwarf:"PyFunctionObject.func_qualname"`
	ModuleDict     int32 `dwarf:"PyModuleObject.md_dict"`
	MemberDescr    int32 `dwarf:"PyMemberDescrObject.d_member"`
	MemberType     int32 `dwarf:"PyMemberDef.type"`
	MemberOffset   int32 `dwarf:"PyMemberDef.offset"`
	LockSem        int32 `dwarf:"lockobject.lock_lock"` // a pointer to sem_t
	LockMutex      int32 `dwarf:"lockobject.lock"`      // or a PyMutex byte: 3.14, late 3.13
	LockLocked     int32 `dwarf:"lockobject.locked"`
	LockBasicSize  int32 `dwarf:"sizeof:lockobject"`
	RLockSem       int32 `dwarf:"rlockobject.rlock_lock"`
	RLockMutex     int32 `dwarf:"rlockobject.lock.mutex"`
	RLockOwner     int32 `dwarf:"rlockobject.rlock_owner|rlockobject.lock.thread"`
	RLockCount     int32 `dwarf:"rlockobject.rlock_count|rlockobject.lock.level"`
	RLockBasicSize int32 `dwarf:"sizeof:rlockobject"`
	HandleHandle   int32 `dwarf:"PyThreadHandleObject.handle"`
	HandleIdent    int32 `dwarf:"ThreadHandle.ident"`
	HandleState    int32 `dwarf:"ThreadHandle.state"`
	HandleExiting  int32 `dwarf:"ThreadHandle.thread_is_exiting"`
	FileIOFD       int32 `dwarf:"fileio.fd"`
	BufferedRaw    int32 `dwarf:"buffered.raw"`
	BufferedLock   int32 `dwarf:"buffered.lock"`
	BufferedOwner  int32 `dwarf:"buffered.owner"`
	TextIOBuffer   int32 `dwarf:"textio.buffer"`
	GenFrame       int32 `dwarf:"PyGenObject.gi_iframe|PyGenObject.gi_frame"`
	GenState       int32 `dwarf:"PyGenObject.gi_frame_state"`
	GenCode        int32 `dwarf:"PyGenObject.gi_code"`
	PartialFunc    int32 `dwarf:"partialobject.fn"`

	// Extension modules, built in or not.
	SemHandle    int32 `dwarf:"SemLockObject.handle"`
	SemLastTID   int32 `dwarf:"SemLockObject.last_tid"`
	SemCount     int32 `dwarf:"SemLockObject.count"`
	SemMaxValue  int32 `dwarf:"SemLockObject.maxvalue"`
	SemKind      int32 `dwarf:"SemLockObject.kind"`
	SocketFD     int32 `dwarf:"PySocketSockObject.sock_fd"`
	SocketFamily int32 `dwarf:"PySocketSockObject.sock_family"`
	SocketType   int32 `dwarf:"PySocketSockObject.sock_type"`
	SocketTime   int32 `dwarf:"PySocketSockObject.sock_timeout"` // nanoseconds; negative: none
	SimpleLock   int32 `dwarf:"simplequeueobject.lock"`
	SimpleLocked int32 `dwarf:"simplequeueobject.locked"`
	SimpleList   int32 `dwarf:"simplequeueobject.lst"`
	SimplePos    int32 `dwarf:"simplequeueobject.lst_pos"`
	SimpleNum    int32 `dwarf:"simplequeueobject.buf.num_items"`
	SimpleWait   int32 `dwarf:"simplequeueobject.has_threads_waiting"`
}

// none marks a member that a version does not have.
const none = -1
