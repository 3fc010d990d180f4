CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE "experiments" (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), 
	creation_time BIGINT, 
	last_update_time BIGINT, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT uq_experiments_workspace_name UNIQUE (workspace, name)
);
CREATE TABLE "runs" (
	run_uuid VARCHAR(32) NOT NULL, 
	name VARCHAR(250), 
	source_type VARCHAR(20), 
	source_name VARCHAR(500), 
	entry_point_name VARCHAR(50), 
	user_id VARCHAR(256), 
	status VARCHAR(9), 
	start_time BIGINT, 
	end_time BIGINT, 
	source_version VARCHAR(50), 
	lifecycle_stage VARCHAR(20), 
	artifact_uri VARCHAR(200), 
	experiment_id INTEGER, deleted_time BIGINT, 
	CONSTRAINT run_pk PRIMARY KEY (run_uuid), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);
CREATE TABLE "metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	step BIGINT DEFAULT '0' NOT NULL, 
	is_nan BOOLEAN DEFAULT '0' NOT NULL, 
	CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
INSERT INTO alembic_version VALUES('dc11669786a5');
INSERT INTO experiments VALUES(0,'Default','/data/mlruns/0','active',1795643751213,1795643751213,'default');
INSERT INTO experiments VALUES(1,'tiny','/data/mlruns/1','active',1795643751231,1795643751231,'default');
INSERT INTO runs VALUES('63e0d475566346669d06f614de2bf060','second','UNKNOWN','','','root','FINISHED',1795643751321,1795643757831,'','active','/data/mlruns/1/63e0d475566346669d06f614de2bf060/artifacts',1,NULL);
INSERT INTO metrics VALUES('loss',1.0,1795643751370,'63e0d475566346669d06f614de2bf060',0,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_watts',100.0,1795643751883,'63e0d475566346669d06f614de2bf060',0,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_percentage',14.3,1795643751883,'63e0d475566346669d06f614de2bf060',0,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_watts',500.0,1795643751883,'63e0d475566346669d06f614de2bf060',0,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_percentage',71.4,1795643751883,'63e0d475566346669d06f614de2bf060',0,0);
INSERT INTO metrics VALUES('loss',0.5,1795643752005,'63e0d475566346669d06f614de2bf060',1,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_watts',341.5,1795643752414,'63e0d475566346669d06f614de2bf060',1,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_percentage',48.8,1795643752414,'63e0d475566346669d06f614de2bf060',1,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_watts',500.0,1795643752414,'63e0d475566346669d06f614de2bf060',1,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_percentage',71.4,1795643752414,'63e0d475566346669d06f614de2bf060',1,0);
INSERT INTO metrics VALUES('loss',3.33333333333333314829e-01,1795643752517,'63e0d475566346669d06f614de2bf060',2,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_watts',591.5,1795643752966,'63e0d475566346669d06f614de2bf060',2,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_percentage',84.5,1795643752966,'63e0d475566346669d06f614de2bf060',2,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_watts',500.0,1795643752966,'63e0d475566346669d06f614de2bf060',2,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_percentage',71.4,1795643752966,'63e0d475566346669d06f614de2bf060',2,0);
INSERT INTO metrics VALUES('loss',0.25,1795643753043,'63e0d475566346669d06f614de2bf060',3,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_watts',558.5,1795643753518,'63e0d475566346669d06f614de2bf060',3,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_percentage',79.8,1795643753518,'63e0d475566346669d06f614de2bf060',3,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_watts',500.0,1795643753518,'63e0d475566346669d06f614de2bf060',3,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_percentage',71.4,1795643753518,'63e0d475566346669d06f614de2bf060',3,0);
INSERT INTO metrics VALUES('loss',0.2,1795643753570,'63e0d475566346669d06f614de2bf060',4,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_watts',258.5,1795643754074,'63e0d475566346669d06f614de2bf060',4,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_percentage',36.9,1795643754074,'63e0d475566346669d06f614de2bf060',4,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_watts',500.0,1795643754074,'63e0d475566346669d06f614de2bf060',4,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_percentage',71.4,1795643754074,'63e0d475566346669d06f614de2bf060',4,0);
INSERT INTO metrics VALUES('loss',1.66666666666666657414e-01,1795643754101,'63e0d475566346669d06f614de2bf060',5,0);
INSERT INTO metrics VALUES('loss',1.42857142857142849212e-01,1795643754671,'63e0d475566346669d06f614de2bf060',6,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_watts',100.0,1795643754642,'63e0d475566346669d06f614de2bf060',5,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_percentage',14.3,1795643754642,'63e0d475566346669d06f614de2bf060',5,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_watts',500.0,1795643754642,'63e0d475566346669d06f614de2bf060',5,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_percentage',71.4,1795643754642,'63e0d475566346669d06f614de2bf060',5,0);
INSERT INTO metrics VALUES('loss',0.125,1795643755196,'63e0d475566346669d06f614de2bf060',7,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_watts',241.5,1795643755261,'63e0d475566346669d06f614de2bf060',6,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_percentage',34.5,1795643755261,'63e0d475566346669d06f614de2bf060',6,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_watts',500.0,1795643755261,'63e0d475566346669d06f614de2bf060',6,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_percentage',71.4,1795643755261,'63e0d475566346669d06f614de2bf060',6,0);
INSERT INTO metrics VALUES('loss',1.11111111111111104943e-01,1795643755728,'63e0d475566346669d06f614de2bf060',8,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_watts',541.5,1795643755840,'63e0d475566346669d06f614de2bf060',7,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_percentage',77.4,1795643755840,'63e0d475566346669d06f614de2bf060',7,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_watts',500.0,1795643755840,'63e0d475566346669d06f614de2bf060',7,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_percentage',71.4,1795643755840,'63e0d475566346669d06f614de2bf060',7,0);
INSERT INTO metrics VALUES('loss',0.1,1795643756298,'63e0d475566346669d06f614de2bf060',9,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_watts',600.0,1795643756423,'63e0d475566346669d06f614de2bf060',8,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_percentage',85.7,1795643756423,'63e0d475566346669d06f614de2bf060',8,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_watts',500.0,1795643756423,'63e0d475566346669d06f614de2bf060',8,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_percentage',71.4,1795643756423,'63e0d475566346669d06f614de2bf060',8,0);
INSERT INTO metrics VALUES('loss',9.09090909090909116141e-02,1795643756808,'63e0d475566346669d06f614de2bf060',10,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_watts',358.5,1795643756955,'63e0d475566346669d06f614de2bf060',9,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_percentage',51.2,1795643756955,'63e0d475566346669d06f614de2bf060',9,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_watts',500.0,1795643756955,'63e0d475566346669d06f614de2bf060',9,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_percentage',71.4,1795643756955,'63e0d475566346669d06f614de2bf060',9,0);
INSERT INTO metrics VALUES('loss',8.33333333333333287074e-02,1795643757316,'63e0d475566346669d06f614de2bf060',11,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_watts',100.0,1795643757495,'63e0d475566346669d06f614de2bf060',10,0);
INSERT INTO metrics VALUES('system/node-0/gpu_0_power_usage_percentage',14.3,1795643757495,'63e0d475566346669d06f614de2bf060',10,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_watts',500.0,1795643757495,'63e0d475566346669d06f614de2bf060',10,0);
INSERT INTO metrics VALUES('system/node-0/gpu_1_power_usage_percentage',71.4,1795643757495,'63e0d475566346669d06f614de2bf060',10,0);
